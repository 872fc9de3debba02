// What the emulated device says about itself.
#include "device.h"
#include "machine.h"

using namespace ups::emu;

namespace {

constexpr int cuda_version = 13000;  // the toolkit that the names and values are taken from
constexpr int compute_major = 8, compute_minor = 0;
constexpr int multiprocessors = 4;  // few, so that grid-stride loops really loop

}  // namespace

cudaError_t cudaRuntimeGetVersion(int* version) {
  if (version == nullptr) return note(cudaErrorInvalidValue);
  *version = cuda_version;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }

cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return note(cudaErrorInvalidValue);
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  if (device == nullptr) return note(cudaErrorInvalidValue);
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return note(device == 0 ? cudaSuccess : cudaErrorInvalidDevice); }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (properties == nullptr) return note(cudaErrorInvalidValue);
  if (device != 0) return note(cudaErrorInvalidDevice);
  *properties = {.name = "emulated",
                 .totalGlobalMem = config().device_bytes,
                 .sharedMemPerBlock = config().static_shared_bytes,
                 .sharedMemPerBlockOptin = config().shared_bytes,
                 .regsPerBlock = 65536,
                 .warpSize = static_cast<int>(warp_lanes),
                 .maxThreadsPerBlock = static_cast<int>(max_threads),
                 .maxThreadsDim = {1024, 1024, 64},
                 .maxGridSize = {0x7fffffff, 65535, 65535},
                 .major = compute_major,
                 .minor = compute_minor,
                 .multiProcessorCount = multiprocessors,
                 .maxThreadsPerMultiProcessor = 2048,
                 .l2CacheSize = 40 << 20};
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (value == nullptr) return note(cudaErrorInvalidValue);
  if (device != 0) return note(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = static_cast<int>(max_threads); return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(config().static_shared_bytes);
      return cudaSuccess;
    case cudaDevAttrWarpSize: *value = static_cast<int>(warp_lanes); return cudaSuccess;
    case cudaDevAttrMultiProcessorCount: *value = multiprocessors; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor: *value = compute_major; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor: *value = compute_minor; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(config().shared_bytes); return cudaSuccess;
  }
  return note(cudaErrorInvalidValue);
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (kernel == nullptr) return note(cudaErrorInvalidDeviceFunction);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return note(cudaErrorInvalidValue);
  const bool fits = value >= 0 && static_cast<size_t>(value) <= config().shared_bytes;
  return note(fits ? cudaSuccess : cudaErrorInvalidValue);
}
