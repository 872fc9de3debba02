// Devices of this machine, and copies between them.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "context.h"
#include "cores.h"
#include "entry.h"
#include "fault.h"
#include "text.h"

using namespace upsilon;

namespace {

void describe_cpu(ups_device_info& info) {
  info = {};
  info.device = {UPS_CPU, 0};
  std::snprintf(info.name, sizeof info.name, "cpu");
  std::snprintf(info.isa, sizeof info.isa, "%s", widest_isa());
  try {
    info.threads = available_cores();
  } catch (const std::exception&) {
    info.threads = 1;  // all that is certain without memory to ask
  }
}

bool on_host(ups_device device) { return device.type == UPS_CPU || device.type == UPS_CUDA_HOST; }

ups_status fail(ups_context* context, ups_status status, const char* argument, std::string_view text) {
  return context->error.set(status, "copy", argument, text);
}

bool same_shape(const ups_tensor& a, const ups_tensor& b) {
  return a.ndim == b.ndim && std::equal(a.shape, a.shape + std::max(a.ndim, 0), b.shape);
}

// A plug-in that there is no memory to open is looked for again the next time.
const Plugin* plugin_or_null(int32_t device_type) noexcept {
  try {
    return plugin_for(device_type);
  } catch (const std::exception&) {
    return nullptr;
  }
}

ups_status copy(ups_context* context, const ups_tensor* source, const ups_tensor* destination) {
  if (!source || !destination)
    return fail(context, UPS_VALUE, source ? "destination" : "source", "a tensor is missing");
  const size_t size = element_size(source->dtype);
  const int64_t elements = element_count(*source);
  if (size == 0 || std::memcmp(&source->dtype, &destination->dtype, sizeof source->dtype) != 0)
    return fail(context, UPS_DTYPE, "destination",
                format("destination is %s (expected %s)", dtype_text(destination->dtype), dtype_text(source->dtype)));
  if (elements < 0 || element_count(*destination) < 0 || !same_shape(*source, *destination))
    return fail(context, UPS_SHAPE, "destination",
                "destination is " + shape_text(*destination) + " (expected " + shape_text(*source) + ")");
  if (elements == 0) return UPS_OK;
  if (source->strides || destination->strides)
    return fail(context, UPS_SHAPE, "source", "strided tensors are not copied");
  if (!source->data || !destination->data) return fail(context, UPS_VALUE, "source", "a tensor has no memory");
  void* to = static_cast<char*>(destination->data) + destination->byte_offset;
  const void* from = static_cast<const char*>(source->data) + source->byte_offset;
  const size_t bytes = static_cast<size_t>(elements) * size;
  const bool from_host = on_host(source->device), to_host = on_host(destination->device);
  if (from_host && to_host) {
    std::memmove(to, from, bytes);
    return UPS_OK;
  }
  const ups_device device = from_host ? destination->device : source->device;
  if (!context->plugin || context->device.type != device.type || context->device.id != device.id)
    return fail(context, UPS_DEVICE, "source",
                "the context is on " + device_text(context->device) + " (expected " + device_text(device) + ")");
  if (!from_host && !to_host && std::memcmp(&source->device, &destination->device, sizeof device) != 0)
    return fail(context, UPS_DEVICE, "destination", "copies between two devices go through the host");
  const CopyKind kind = from_host ? CopyKind::host_to_device
                        : to_host ? CopyKind::device_to_host
                                  : CopyKind::device_to_device;
  if (context->plugin->copy(device.id, context->stream, to, from, bytes, kind) != UPS_OK)
    return fail(context, UPS_DEVICE, "", context->plugin->last_message());
  // A host buffer must be complete, and faults of the kernels that filled it known, when this
  // returns.
  return to_host ? synchronize(*context) : UPS_OK;
}

}  // namespace

extern "C" {

int32_t ups_devices(ups_device_info* devices, int32_t capacity) noexcept {
  int32_t count = 0;
  if (devices && count < capacity) describe_cpu(devices[count]);
  ++count;
  for (const int32_t type : {UPS_CUDA, UPS_EMULATED}) {
    const Plugin* plugin = plugin_or_null(type);
    if (!plugin) continue;
    char why[256];
    const int32_t here = plugin->device_count(why, sizeof why);
    for (int32_t id = 0; id < here; ++id, ++count)
      if (devices && count < capacity) (void)plugin->device_info(id, &devices[count]);
  }
  return count;
}

const char* ups_unavailable_because(int32_t device_type) noexcept {
  if (device_type == UPS_CPU) return nullptr;
  try {
    return plugin_for(device_type) ? nullptr : plugin_problem(device_type);
  } catch (const std::exception&) {
    return ups_status_text(UPS_OUT_OF_MEMORY);
  }
}

ups_status ups_copy(ups_context* context, const ups_tensor* source, ups_tensor* destination) noexcept {
  return enter(context, "copy", [&] { return copy(context, source, destination); });
}

}  // extern "C"
