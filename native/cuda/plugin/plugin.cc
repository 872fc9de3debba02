// The vtable of core/plugin.h, over the CUDA runtime or its emulation.
#include <algorithm>
#include <cstdio>

#include "core/plugin.h"
#include "cuda/plugin/registry.h"
#include "cuda/plugin/rules.h"
#include "cuda/plugin/status.h"

namespace upsilon {
namespace {

#if defined(UPS_EMULATION)
constexpr int32_t own_device_type = UPS_EMULATED;
#else
constexpr int32_t own_device_type = UPS_CUDA;
#endif
constexpr int oldest_major = 8;  // the oldest compute capability there is machine code for

// Calls of one function may come from threads whose current device is another one.
ups_status on_device(int32_t id) { return device_status(cudaSetDevice(id)); }

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

int32_t device_count(char* why, size_t why_size) {
  if (why_size > 0) why[0] = '\0';
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    (void)cudaGetLastError();
    (void)cudaRuntimeGetVersion(&runtime);
    const bool driver_found = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
    if (error == cudaErrorInsufficientDriver && !driver_found)
      std::snprintf(why, why_size, "there is no NVIDIA driver on this machine");
    else if (error == cudaErrorInsufficientDriver)
      std::snprintf(why, why_size, "the NVIDIA driver is too old: it supports CUDA %d.%d (expected at least %d.%d)",
                    driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    else if (error == cudaErrorNoDevice)
      std::snprintf(why, why_size, "there is an NVIDIA driver but no device that it can use");
    else
      std::snprintf(why, why_size, "the CUDA runtime does not start: %s (%s)", cudaGetErrorString(error),
                    cudaGetErrorName(error));
    return 0;
  }
  if (count == 0) {
    std::snprintf(why, why_size, "there is an NVIDIA driver but no device that it can use");
    return 0;
  }
  // Devices are numbered as CUDA numbers them, so the usable ones must come first; CUDA's default
  // order puts the fastest first.
  int usable = 0, major = 0, minor = 0;
  while (usable < count && cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, usable) == cudaSuccess &&
         major >= oldest_major)
    ++usable;
  if (usable == 0) {
    (void)cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
    std::snprintf(why, why_size, "the device is too old: compute capability %d.%d (expected at least %d.0)", major,
                  minor, oldest_major);
  }
  return usable;
}

ups_status device_info(int32_t id, ups_device_info* info) {
  cudaDeviceProp properties;
  const ups_status status = device_status(cudaGetDeviceProperties(&properties, id));
  if (status != UPS_OK) return status;
  *info = {};
  info->device = {own_device_type, id};
  std::snprintf(info->name, sizeof info->name, "%.127s", properties.name);
  std::snprintf(info->isa, sizeof info->isa, "%d.%d", properties.major, properties.minor);
  info->threads = properties.multiProcessorCount;
  info->memory = properties.totalGlobalMem;
  return UPS_OK;
}

ups_status stream_create(int32_t id, void** stream) {
  *stream = nullptr;
  if (const ups_status status = on_device(id); status != UPS_OK) return status;
  cudaStream_t created = nullptr;
  const ups_status status = device_status(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
  *stream = created;
  return status;
}

void stream_destroy(int32_t id, void* stream) {
  if (stream && on_device(id) == UPS_OK) (void)device_status(cudaStreamDestroy(stream_of(stream)));
}

ups_status allocate(int32_t id, size_t bytes, void** data) {
  *data = nullptr;
  if (const ups_status status = on_device(id); status != UPS_OK) return status;
  return device_status(cudaMalloc(data, std::max<size_t>(bytes, 1)));
}

void release(int32_t id, void* data) {
  if (data && on_device(id) == UPS_OK) (void)device_status(cudaFree(data));
}

ups_status allocate_pinned(size_t bytes, void** data) {
  *data = nullptr;
  return device_status(cudaMallocHost(data, std::max<size_t>(bytes, 1)));
}

void release_pinned(void* data) {
  if (data) (void)device_status(cudaFreeHost(data));
}

ups_status copy(int32_t id, void* stream, void* destination, const void* source, size_t bytes, CopyKind kind) {
  if (bytes == 0) return UPS_OK;
  if (const ups_status status = on_device(id); status != UPS_OK) return status;
  const cudaMemcpyKind direction = kind == CopyKind::host_to_device   ? cudaMemcpyHostToDevice
                                   : kind == CopyKind::device_to_host ? cudaMemcpyDeviceToHost
                                                                      : cudaMemcpyDeviceToDevice;
  return device_status(cudaMemcpyAsync(destination, source, bytes, direction, stream_of(stream)));
}

ups_status fill(int32_t id, void* stream, void* destination, int32_t byte, size_t bytes) {
  if (bytes == 0) return UPS_OK;
  if (const ups_status status = on_device(id); status != UPS_OK) return status;
  return device_status(cudaMemsetAsync(destination, byte, bytes, stream_of(stream)));
}

ups_status synchronize(int32_t id, void* stream) {
  if (const ups_status status = on_device(id); status != UPS_OK) return status;
  return device_status(cudaStreamSynchronize(stream_of(stream)));
}

ups_status check_rules(int32_t id, void* stream, const DeviceRule* rules, int32_t count, int32_t* fault) {
  if (const ups_status status = on_device(id); status != UPS_OK) return status;
  return device_status(launch_rule_checks(stream_of(stream), rules, count, fault));
}

constexpr Plugin plugin{plugin_abi,  own_device_type, device_count,    device_info,    stream_create, stream_destroy,
                        allocate,    release,         allocate_pinned, release_pinned, copy,          fill,
                        synchronize, check_rules,     on_device,       device_message, cuda_kernels};

}  // namespace
}  // namespace upsilon

extern "C" __attribute__((visibility("default"))) const upsilon::Plugin* upsilon_plugin(int32_t abi) {
  return abi == upsilon::plugin_abi ? &upsilon::plugin : nullptr;
}
