#include "context.h"
#include "cores.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>

#include "recycled.h"
#include "registry.h"

#if defined(_WIN32)
#include <process.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace upsilon {
namespace {

thread_local Error creation_error;

int64_t process_id() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

constexpr size_t huge_page = size_t{2} << 20, small_page = 4096;

ups_status open_device(ups_context& context) {
  const Plugin* plugin = plugin_for(context.device.type);
  if (!plugin) return context.error.set(UPS_DEVICE, "", "device", plugin_problem(context.device.type));
  char why[256] = "";
  const int32_t devices = plugin->device_count(why, sizeof why);
  if (context.device.id < 0 || context.device.id >= devices)
    return context.error.set(UPS_DEVICE, "", "device",
                             format("there is no %s (devices of this kind: %d)%s%s",
                                    device_text(context.device).c_str(), devices, why[0] ? ": " : "", why));
  context.plugin = plugin;
  void* fault = nullptr;
  const int32_t id = context.device.id;
  if (plugin->stream_create(id, &context.stream) != UPS_OK || plugin->allocate(id, 64, &fault) != UPS_OK)
    return context.error.set(UPS_DEVICE, "", "device", plugin->last_message());
  context.fault = static_cast<int32_t*>(fault);
  if (plugin->fill(id, context.stream, fault, 0, 64) != UPS_OK)
    return context.error.set(UPS_DEVICE, "", "device", plugin->last_message());
  return UPS_OK;
}

ups_status choose_variant(ups_context& context, const char* wanted) {
  const char* environment = std::getenv("UPSILON_FORCE");
  const char* source = environment && *environment ? "UPSILON_FORCE" : "variant";
  const char* name = environment && *environment ? environment : wanted;
  if (!name || !*name) return UPS_OK;
  if (!variant_from_name(name, &context.forced_variant))
    return context.error.set(
        UPS_VALUE, "", source,
        format("%s is no variant (expected reference, baseline, avx2, lanes16, avx512 or cuda)", name));
  context.forced = true;
  if (context.plugin) return UPS_OK;  // a device has one variant; a CPU name only concerns CPU contexts
  if (context.forced_variant == Variant::cuda)
    return context.error.set(UPS_DEVICE, "", source, "cuda is asked for, but the context is on the CPU");
  if (!cpu_can_run(context.forced_variant))
    return context.error.set(UPS_DEVICE, "", source, format("this processor cannot run %s", name));
  return UPS_OK;
}

// UPSILON_STRATEGY, for tests: a strategy of some kernel, by name.
ups_status choose_strategy(ups_context& context) {
  const char* name = std::getenv("UPSILON_STRATEGY");
  if (!name || !*name) return UPS_OK;
  std::string known;
  for (const ups_operation& operation : operations())
    for (const KernelEntry& kernel : operation.kernels)
      for (const char* const* one = kernel.strategies; one && *one; ++one) {
        if (std::strcmp(*one, name) == 0) {
          context.strategy = name;
          return UPS_OK;
        }
        if ((", " + known + ",").find(std::string(", ") + *one + ",") == std::string::npos)
          known += (known.empty() ? "" : ", ") + std::string(*one);
      }
  return context.error.set(UPS_VALUE, "", "UPSILON_STRATEGY",
                           format("%s is no strategy (expected one of %s)", name, known.c_str()));
}

}  // namespace

std::string format(const char* pattern, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

std::string shape_text(const ups_tensor& tensor) {
  std::string text = "[";
  for (int32_t d = 0; d < tensor.ndim; ++d) text += (d ? ", " : "") + std::to_string(tensor.shape[d]);
  return text + "]";
}

std::string device_text(ups_device device) {
  switch (device.type) {
    case UPS_CPU: return "cpu";
    case UPS_CUDA: return "cuda:" + std::to_string(device.id);
    case UPS_CUDA_HOST: return "pinned host memory";
    case UPS_EMULATED: return "emulated:" + std::to_string(device.id);
    default: return "device type " + std::to_string(device.type);
  }
}

const char* dtype_text(ups_dtype dtype) {
  if (dtype.lanes == 1) {
    if (dtype.code == UPS_FLOAT && dtype.bits == 32) return "float32";
    if (dtype.code == UPS_FLOAT && dtype.bits == 64) return "float64";
    if (dtype.code == UPS_INT && dtype.bits == 32) return "int32";
    if (dtype.code == UPS_INT && dtype.bits == 64) return "int64";
    if (dtype.code == UPS_UINT && dtype.bits == 8) return "uint8";
  }
  return "an unknown dtype";
}

size_t element_size(ups_dtype dtype) {
  const bool known = dtype.lanes == 1 && ((dtype.code == UPS_FLOAT && (dtype.bits == 32 || dtype.bits == 64)) ||
                                          (dtype.code == UPS_INT && (dtype.bits == 32 || dtype.bits == 64)) ||
                                          (dtype.code == UPS_UINT && dtype.bits == 8));
  return known ? dtype.bits / 8u : 0;
}

int64_t element_count(const ups_tensor& tensor) {
  int64_t count = 1;
  bool empty = false;
  for (int32_t d = 0; d < tensor.ndim; ++d) {
    if (tensor.shape[d] < 0) return -1;
    if (tensor.shape[d] == 0) empty = true;
    else if (__builtin_mul_overflow(count, tensor.shape[d], &count) || count > (int64_t{1} << 58)) return -1;
  }
  return empty ? 0 : count;
}

void* allocate_host(size_t bytes) {
  const size_t size = recyclable_size(bytes);
  if (void* recycled = take_recycled(size)) return recycled;
  const size_t alignment = size >= huge_page ? huge_page : size >= small_page ? small_page : 64;
  const size_t rounded = (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment;
  if (rounded < bytes) return nullptr;
#if defined(_WIN32)
  return _aligned_malloc(rounded, alignment);
#else
  void* data = std::aligned_alloc(alignment, rounded);
#if defined(MADV_HUGEPAGE)
  // First touches of fresh 4 KiB pages cost about 0.45 ms per MB; of 2 MiB pages a fraction of that.
  if (data && size >= huge_page) madvise(data, rounded, MADV_HUGEPAGE);
#endif
  return data;
#endif
}

void release_host(void* data, size_t bytes) {
  if (data && !keep_recycled(data, recyclable_size(bytes))) free_host(data);
}

void free_host(void* data) {
#if defined(_WIN32)
  _aligned_free(data);
#else
  std::free(data);
#endif
}

void* Workspace::reserve(size_t bytes, const Plugin* plugin, int32_t device_id) {
  if (bytes <= size_) return data_;
  const size_t wanted = bytes + bytes / 4 + 4096;  // growing in steps, so that slowly growing batches settle
  void* fresh = nullptr;
  if (plugin) {
    if (plugin->allocate(device_id, wanted, &fresh) != UPS_OK) return nullptr;
  } else {
    fresh = allocate_host(wanted);
    if (!fresh) return nullptr;
  }
  release(plugin, device_id);
  data_ = fresh;
  size_ = wanted;
  return data_;
}

void Workspace::release(const Plugin* plugin, int32_t device_id) {
  if (data_) plugin ? plugin->release(device_id, data_) : release_host(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

ups_status Error::set(ups_status status_, std::string operation_, std::string argument_, std::string text_) noexcept {
  status = status_;
  operation = std::move(operation_);
  argument = std::move(argument_);
  text = std::move(text_);
  return status;
}

}  // namespace upsilon

ups_context::~ups_context() {
  if (plugin && owner != upsilon::process_id()) return;  // the device belongs to the parent process
  workspace.release(plugin, device.id);
  if (plugin) {
    plugin->release(device.id, fault);
    plugin->stream_destroy(device.id, stream);
  }
}

using namespace upsilon;

extern "C" {

ups_status ups_context_create(const ups_context_options* options, ups_context** result) {
  if (!result) return creation_error.set(UPS_VALUE, "", "context", "context is null");
  *result = nullptr;
  try {
    auto context = std::make_unique<ups_context>();
    context->owner = process_id();
    ups_context_options given{};
    if (options) std::memcpy(&given, options, std::min(options->size ? options->size : sizeof given, sizeof given));
    if (given.device.type != 0) context->device = given.device;
    context->precision = given.precision;
    const int32_t threads = given.threads < 0 ? available_cores() : given.threads;
    if (threads > 4096)
      return creation_error.set(UPS_VALUE, "", "threads", format("threads is %d (at most 4096)", threads));
    context->threads.resize(threads);
    if (given.precision < UPS_FP32 || given.precision > UPS_BF16)
      return creation_error.set(UPS_VALUE, "", "precision",
                                format("precision is %d (expected 0, 1 or 2)", given.precision));
    operations();  // parse the schemas now, not inside the first call
    ups_status status = context->device.type == UPS_CPU ? UPS_OK : open_device(*context);
    if (status == UPS_OK) status = choose_variant(*context, given.variant);
    if (status == UPS_OK) status = choose_strategy(*context);
    if (status != UPS_OK) {
      creation_error = context->error;
      return status;
    }
    *result = context.release();
    return UPS_OK;
  } catch (const std::bad_alloc&) {
    return creation_error.set(UPS_OUT_OF_MEMORY, "", "", "memory is exhausted");
  } catch (const std::exception& e) {
    return creation_error.set(UPS_INTERNAL, "", "", e.what());
  }
}

void ups_context_destroy(ups_context* context) { delete context; }

const ups_error* ups_last_error(const ups_context* context) {
  Error& error = context ? const_cast<ups_context*>(context)->error : creation_error;
  error.view = {error.status, error.operation.c_str(), error.argument.c_str(), error.text.c_str()};
  return &error.view;
}

const char* ups_status_text(ups_status status) {
  switch (status) {
#define UPS_STATUS_CASE(name, value, text) \
  case UPS_##name: return text;
    UPS_STATUS_LIST(UPS_STATUS_CASE)
#undef UPS_STATUS_CASE
  }
  return "unknown status";
}

const char* ups_version(void) {
#define UPS_TEXT_(x) #x
#define UPS_TEXT(x) UPS_TEXT_(x)
  return UPS_TEXT(UPS_VERSION_MAJOR) "." UPS_TEXT(UPS_VERSION_MINOR) "." UPS_TEXT(UPS_VERSION_PATCH);
}

ups_status ups_synchronize(ups_context* context) {
  if (!context) return creation_error.set(UPS_VALUE, "", "context", "context is null");
  const Plugin* plugin = context->plugin;
  if (!plugin) return UPS_OK;
  const int32_t id = context->device.id;
  int32_t fault = 0;
  if (plugin->copy(id, context->stream, &fault, context->fault, sizeof fault, CopyKind::device_to_host) != UPS_OK ||
      plugin->synchronize(id, context->stream) != UPS_OK)
    return context->error.set(UPS_DEVICE, "", "", plugin->last_message());
  if (fault == 0) return UPS_OK;
  (void)plugin->fill(id, context->stream, context->fault, 0, sizeof fault);
  // The code was composed by the gate: operation index and parameter index.
  const auto& all = operations();
  const size_t index = static_cast<size_t>(fault >> 8);
  const ups_operation* operation = index < all.size() ? &all[index] : nullptr;
  const size_t parameter = static_cast<size_t>((fault & 0xff) - 1);
  if (!operation || parameter >= operation->schema.parameters.size())
    return context->error.set(UPS_INTERNAL, "", "", format("unknown device fault %d", fault));
  const Parameter& p = operation->schema.parameters[parameter];
  static constexpr const char* broken[] = {"",
                                           "holds boundaries that decrease or overrun",
                                           "holds an index that is out of range",
                                           "holds a mother that is outside its event, or a cycle",
                                           "holds numbers that are not finite",
                                           "holds NaN",
                                           "is not the stable order of its keys",
                                           "has not as many elements as the pairs of the events want"};
  static_assert(std::size(broken) == static_cast<size_t>(Rule::pairs) + 1);
  return context->error.set(
      p.rule == Rule::pairs ? UPS_SHAPE : UPS_VALUE, operation->name, p.name,
      p.name + " " + broken[static_cast<int>(p.rule)] + " (found on " + device_text(context->device) + ")");
}

ups_status ups_set_threads(ups_context* context, int32_t threads) {
  if (!context) return creation_error.set(UPS_VALUE, "", "context", "context is null");
  if (threads < -1 || threads > 4096)
    return context->error.set(UPS_VALUE, "", "threads", format("threads is %d (expected -1 to 4096)", threads));
  context->threads.resize(threads < 0 ? available_cores() : threads);
  return UPS_OK;
}

ups_status ups_set_precision(ups_context* context, int32_t precision) {
  if (!context) return creation_error.set(UPS_VALUE, "", "context", "context is null");
  if (precision < UPS_FP32 || precision > UPS_BF16)
    return context->error.set(UPS_VALUE, "", "precision", format("precision is %d (expected 0, 1 or 2)", precision));
  context->precision = precision;
  return UPS_OK;
}

const char* ups_last_variant(const ups_context* context) { return context ? context->last_variant : ""; }

}  // extern "C"
