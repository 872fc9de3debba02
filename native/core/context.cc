#include "context.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>

#include "cores.h"
#include "entry.h"
#include "options.h"
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

thread_local Error last_creation_error;
// The context that refused this thread last, until it lets it in: 0 none.
thread_local uint64_t refused_by = 0;
std::atomic<uint64_t> contexts_made = 0;

int64_t process_id() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

constexpr char name_begins = '\x01', name_ends = '\x02';
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
    return context.error.set(
        UPS_DEVICE, "", source,
        format("%s cannot run here: this processor lacks it, or it was left out when the library was built", name));
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

std::string named(const std::string& name) { return name_begins + name + name_ends; }

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

namespace {

template <size_t size>
void put(char (&into)[size], std::string_view text) {
  constexpr std::string_view ellipsis = "\u2026";
  size_t kept = text.size();
  if (kept >= size) {
    kept = size - 1 - ellipsis.size();
    while (kept > 0 && (text[kept] & 0xc0) == 0x80) --kept;  // inside a character of several bytes
  }
  std::memcpy(into, text.data(), kept);
  if (kept < text.size()) kept += ellipsis.copy(into + kept, ellipsis.size());
  into[kept] = 0;
}

}  // namespace

ups_status Error::set(ups_status status_, std::string_view operation_, std::string_view argument_,
                      std::string_view text_) noexcept {
  status = status_;
  put(operation, operation_);
  put(argument, argument_);
  put(text, text_);
  mention_count = 0;
  if (operation[0]) take_mentions();  // other texts quote files
  return status;
}

void Error::take_mentions() noexcept {
  size_t kept = 0, begin = 0;
  for (const char* c = text; *c; ++c) {
    if (*c == name_begins) {
      begin = kept;
    } else if (*c != name_ends) {
      text[kept++] = *c;
    } else if (mention_count < max_mentions) {
      mentions[mention_count++] = {static_cast<uint16_t>(begin), static_cast<uint16_t>(kept - begin)};
    }
  }
  text[kept] = 0;
}

Error& creation_error() noexcept { return last_creation_error; }

Entry::Entry(ups_context& context) noexcept
    : context_(context), refused_(context.busy.exchange(true, std::memory_order_acquire)) {
  if (refused_) refused_by = context.id;
  else if (refused_by == context.id) refused_by = 0;
}
Entry::~Entry() {
  if (!refused_) context_.busy.store(false, std::memory_order_release);
}

ups_status synchronize(ups_context& context) {
  const Plugin* plugin = context.plugin;
  if (!plugin) return UPS_OK;
  const int32_t id = context.device.id;
  int32_t fault = 0;
  if (plugin->copy(id, context.stream, &fault, context.fault, sizeof fault, CopyKind::device_to_host) != UPS_OK ||
      plugin->synchronize(id, context.stream) != UPS_OK)
    return context.error.set(UPS_DEVICE, "", "", plugin->last_message());
  if (fault == 0) return UPS_OK;
  (void)plugin->fill(id, context.stream, context.fault, 0, sizeof fault);
  // The code was composed by the gate: operation index and parameter index.
  const auto& all = operations();
  const size_t index = static_cast<size_t>(fault >> 8);
  const ups_operation* operation = index < all.size() ? &all[index] : nullptr;
  const size_t parameter = static_cast<size_t>((fault & 0xff) - 1);
  if (!operation || parameter >= operation->schema.parameters.size())
    return context.error.set(UPS_INTERNAL, "", "", format("unknown device fault %d", fault));
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
  return context.error.set(
      p.rule == Rule::pairs ? UPS_SHAPE : UPS_VALUE, operation->name, p.name,
      named(p.name) + " " + broken[static_cast<int>(p.rule)] + " (found on " + device_text(context.device) + ")");
}

namespace {

ups_status check_threads(Error& error, int32_t threads) {
  if (threads >= -1 && threads <= 4096) return UPS_OK;
  return error.set(UPS_VALUE, "", "threads", format("threads is %d (expected -1 to 4096)", threads));
}

ups_status check_precision(Error& error, int32_t precision) {
  if (precision >= UPS_FP32 && precision <= UPS_BF16) return UPS_OK;
  return error.set(UPS_VALUE, "", "precision", format("precision is %d (expected 0, 1 or 2)", precision));
}

// The caller's options in a struct as it is now, whatever its version.
ups_status read_options(const ups_context_options* options, ups_context_options* into) {
  if (!options) return UPS_OK;
  size_t size = 0;
  std::memcpy(&size, options, sizeof size);
  if (size == 0) size = sizeof *into;
  const auto fits = [size](size_t at, size_t field) { return size <= at || size >= at + field; };
  const bool whole_fields = size >= sizeof size &&
                            fits(offsetof(ups_context_options, device), sizeof options->device) &&
                            fits(offsetof(ups_context_options, threads), sizeof options->threads) &&
                            fits(offsetof(ups_context_options, precision), sizeof options->precision) &&
                            fits(offsetof(ups_context_options, variant), sizeof options->variant);
  if (!whole_fields || !is_zero_beyond(options, sizeof *into, size))
    return creation_error().set(UPS_VALUE, "", "options", size_text(size, sizeof *into));
  std::memcpy(into, options, std::min(size, sizeof *into));
  return UPS_OK;
}

ups_status open(const ups_context_options& given, ups_context& context) {
  context.owner = process_id();
  if (given.device.type != 0) context.device = given.device;
  context.precision = given.precision;
  ups_status status = check_threads(context.error, given.threads);
  if (status == UPS_OK) status = check_precision(context.error, given.precision);
  if (status != UPS_OK) return status;
  context.threads.resize(given.threads < 0 ? available_cores() : given.threads);
  operations();  // parse the schemas now, not inside the first call
  if (context.device.type != UPS_CPU) status = open_device(context);
  if (status == UPS_OK) status = choose_variant(context, given.variant);
  return status == UPS_OK ? choose_strategy(context) : status;
}

}  // namespace
}  // namespace upsilon

ups_context::ups_context() : id(upsilon::contexts_made.fetch_add(1, std::memory_order_relaxed) + 1) {}

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

ups_status ups_context_create(const ups_context_options* options, ups_context** result) noexcept {
  if (!result) return creation_error().set(UPS_VALUE, "", "context", "context is null");
  *result = nullptr;
  try {
    ups_context_options given{};
    if (const ups_status status = read_options(options, &given); status != UPS_OK) return status;
    auto context = std::make_unique<ups_context>();
    if (const ups_status status = open(given, *context); status != UPS_OK) {
      const Error& error = context->error;
      return creation_error().set(status, error.operation, error.argument, error.text);
    }
    *result = context.release();
    return UPS_OK;
  } catch (const std::bad_alloc&) {
    return creation_error().set(UPS_OUT_OF_MEMORY, "", "", "memory is exhausted");
  } catch (const std::exception& e) {
    return creation_error().set(UPS_INTERNAL, "", "", e.what());
  }
}

void ups_context_destroy(ups_context* context) noexcept { delete context; }

const ups_error* ups_last_error(const ups_context* context) noexcept {
  static const ups_error busy{UPS_BUSY, "", "context", ups_status_text(UPS_BUSY)};
  if (context && context->id == refused_by) return &busy;
  Error& error = context ? const_cast<ups_context*>(context)->error : creation_error();
  error.view = {error.status, error.operation, error.argument, error.text};
  return &error.view;
}

const char* ups_status_text(ups_status status) noexcept {
  switch (status) {
#define UPS_STATUS_CASE(name, value, text) \
  case UPS_##name: return text;
    UPS_STATUS_LIST(UPS_STATUS_CASE)
#undef UPS_STATUS_CASE
  }
  return "unknown status";
}

const char* ups_version(void) noexcept {
#define UPS_TEXT_(x) #x
#define UPS_TEXT(x) UPS_TEXT_(x)
  return UPS_TEXT(UPS_VERSION_MAJOR) "." UPS_TEXT(UPS_VERSION_MINOR) "." UPS_TEXT(UPS_VERSION_PATCH);
}

ups_status ups_synchronize(ups_context* context) noexcept {
  return enter(context, "", [&] { return synchronize(*context); });
}

ups_status ups_set_threads(ups_context* context, int32_t threads) noexcept {
  return enter(context, "", [&] {
    const ups_status status = check_threads(context->error, threads);
    if (status == UPS_OK) context->threads.resize(threads < 0 ? available_cores() : threads);
    return status;
  });
}

ups_status ups_set_precision(ups_context* context, int32_t precision) noexcept {
  return enter(context, "", [&] {
    const ups_status status = check_precision(context->error, precision);
    if (status == UPS_OK) context->precision = precision;
    return status;
  });
}

const char* ups_last_variant(const ups_context* context) noexcept {
  return context ? context->last_variant.load(std::memory_order_relaxed) : "";
}

}  // extern "C"
