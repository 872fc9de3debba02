#include "context.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>

#include "cores.h"
#include "entry.h"
#include "fault.h"
#include "options.h"
#include "registry.h"
#include "text.h"

#if defined(_WIN32)
#include <process.h>
#else
#include <unistd.h>
#endif

namespace upsilon {
namespace {

thread_local Error last_creation_error;
// The context that last refused this thread, until it lets the thread in; 0 for none.
thread_local uint64_t refused_by = 0;
std::atomic<uint64_t> contexts_made = 0;

int64_t process_id() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

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
        format("unknown variant %s (expected reference, baseline, avx2, lanes16, avx512 or cuda)", name));
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
                           format("unknown strategy %s (expected one of %s)", name, known.c_str()));
}

}  // namespace

Error& creation_error() noexcept { return last_creation_error; }

Entry::Entry(ups_context& context) noexcept
    : context_(context), refused_(context.busy.exchange(true, std::memory_order_acquire)) {
  if (refused_) refused_by = context.id;
  else if (refused_by == context.id) refused_by = 0;
}
Entry::~Entry() {
  if (!refused_) context_.busy.store(false, std::memory_order_release);
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
    return creation_error().set(UPS_OUT_OF_MEMORY, "", "", "out of memory");
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
