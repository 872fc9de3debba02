// The emulation's runtime has CUDA's signatures, values and layouts: this file compiles against
// either.
#include "device.h"

namespace {

template <auto Function, class Signature>
constexpr bool has_signature = std::is_same_v<decltype(Function), Signature*>;

static_assert(has_signature<&cudaGetLastError, cudaError_t()>);
static_assert(has_signature<&cudaPeekAtLastError, cudaError_t()>);
static_assert(has_signature<&cudaGetErrorName, const char*(cudaError_t)>);
static_assert(has_signature<&cudaGetErrorString, const char*(cudaError_t)>);
static_assert(has_signature<&cudaRuntimeGetVersion, cudaError_t(int*)>);
static_assert(has_signature<&cudaDriverGetVersion, cudaError_t(int*)>);
static_assert(has_signature<&cudaGetDeviceCount, cudaError_t(int*)>);
static_assert(has_signature<&cudaGetDevice, cudaError_t(int*)>);
static_assert(has_signature<&cudaSetDevice, cudaError_t(int)>);
static_assert(has_signature<&cudaGetDeviceProperties, cudaError_t(cudaDeviceProp*, int)>);
static_assert(has_signature<&cudaDeviceGetAttribute, cudaError_t(int*, cudaDeviceAttr, int)>);
static_assert(has_signature<&cudaDeviceSynchronize, cudaError_t()>);
static_assert(has_signature<&cudaFree, cudaError_t(void*)>);
static_assert(has_signature<&cudaFreeHost, cudaError_t(void*)>);
static_assert(has_signature<&cudaMemGetInfo, cudaError_t(size_t*, size_t*)>);
static_assert(has_signature<&cudaPointerGetAttributes, cudaError_t(cudaPointerAttributes*, const void*)>);
static_assert(has_signature<&cudaMemcpy, cudaError_t(void*, const void*, size_t, cudaMemcpyKind)>);
static_assert(has_signature<&cudaMemcpyAsync, cudaError_t(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t)>);
static_assert(has_signature<&cudaMemset, cudaError_t(void*, int, size_t)>);
static_assert(has_signature<&cudaMemsetAsync, cudaError_t(void*, int, size_t, cudaStream_t)>);
static_assert(has_signature<&cudaStreamCreate, cudaError_t(cudaStream_t*)>);
static_assert(has_signature<&cudaStreamCreateWithFlags, cudaError_t(cudaStream_t*, unsigned)>);
static_assert(has_signature<&cudaStreamDestroy, cudaError_t(cudaStream_t)>);
static_assert(has_signature<&cudaStreamSynchronize, cudaError_t(cudaStream_t)>);
static_assert(has_signature<&cudaStreamQuery, cudaError_t(cudaStream_t)>);
static_assert(has_signature<&cudaEventQuery, cudaError_t(cudaEvent_t)>);
static_assert(has_signature<&cudaEventSynchronize, cudaError_t(cudaEvent_t)>);
static_assert(has_signature<&cudaEventElapsedTime, cudaError_t(float*, cudaEvent_t, cudaEvent_t)>);
static_assert(has_signature<&cudaEventDestroy, cudaError_t(cudaEvent_t)>);
// Those that CUDA overloads: the argument chooses by signature.
template <class Signature, Signature* Function>
constexpr bool overload = true;

static_assert(overload<cudaError_t(void**, size_t), &cudaMalloc>);
static_assert(overload<cudaError_t(void**, size_t), &cudaMallocHost>);
static_assert(overload<cudaError_t(cudaStream_t, cudaEvent_t, unsigned), &cudaStreamWaitEvent>);
static_assert(overload<cudaError_t(cudaEvent_t*), &cudaEventCreate>);
static_assert(overload<cudaError_t(cudaEvent_t*, unsigned), &cudaEventCreateWithFlags>);
static_assert(overload<cudaError_t(cudaEvent_t, cudaStream_t), &cudaEventRecord>);
static_assert(overload<cudaError_t(const void*, cudaFuncAttribute, int), &cudaFuncSetAttribute>);

static_assert(cudaSuccess == 0 && cudaErrorInvalidValue == 1 && cudaErrorMemoryAllocation == 2);
static_assert(cudaErrorInitializationError == 3 && cudaErrorInvalidConfiguration == 9);
static_assert(cudaErrorInvalidMemcpyDirection == 21 && cudaErrorInsufficientDriver == 35);
static_assert(cudaErrorInvalidDeviceFunction == 98 && cudaErrorNoDevice == 100 && cudaErrorInvalidDevice == 101);
static_assert(cudaErrorNoKernelImageForDevice == 209 && cudaErrorInvalidResourceHandle == 400);
static_assert(cudaErrorNotReady == 600 && cudaErrorIllegalAddress == 700 && cudaErrorLaunchOutOfResources == 701);
static_assert(cudaErrorLaunchFailure == 719 && cudaErrorNotSupported == 801 && cudaErrorUnknown == 999);
static_assert(cudaMemcpyHostToHost == 0 && cudaMemcpyHostToDevice == 1 && cudaMemcpyDeviceToHost == 2);
static_assert(cudaMemcpyDeviceToDevice == 3 && cudaMemcpyDefault == 4);
static_assert(cudaStreamDefault == 0 && cudaStreamNonBlocking == 1);
static_assert(cudaEventDefault == 0 && cudaEventDisableTiming == 2);
static_assert(cudaFuncAttributeMaxDynamicSharedMemorySize == 8);
static_assert(cudaDevAttrMaxThreadsPerBlock == 1 && cudaDevAttrMaxSharedMemoryPerBlock == 8);
static_assert(cudaDevAttrWarpSize == 10 && cudaDevAttrMultiProcessorCount == 16);
static_assert(cudaDevAttrComputeCapabilityMajor == 75 && cudaDevAttrComputeCapabilityMinor == 76);
static_assert(cudaDevAttrMaxSharedMemoryPerBlockOptin == 97);
static_assert(cudaMemoryTypeUnregistered == 0 && cudaMemoryTypeHost == 1 && cudaMemoryTypeDevice == 2);

static_assert(alignof(int2) == 8 && alignof(int4) == 16 && alignof(float2) == 8 && alignof(float4) == 16);
static_assert(sizeof(float3) == 12 && alignof(float3) == 4 && alignof(double2) == 16 && alignof(uint4) == 16);

UPS_TEST(device_properties, once) {
  int count = 0, device = -1, processors = 0, version = 0;
  CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count >= 1);
  CHECK(cudaSetDevice(0) == cudaSuccess && cudaGetDevice(&device) == cudaSuccess && device == 0);
  CHECK(cudaSetDevice(count) == cudaErrorInvalidDevice && cudaGetLastError() == cudaErrorInvalidDevice);
  CHECK(cudaRuntimeGetVersion(&version) == cudaSuccess && version >= 12000);
  cudaDeviceProp properties{};
  CHECK(cudaGetDeviceProperties(&properties, 0) == cudaSuccess);
  CHECK(properties.warpSize == 32 && properties.major >= 8 && properties.totalGlobalMem > 0);
  CHECK(properties.sharedMemPerBlockOptin >= properties.sharedMemPerBlock);
  CHECK(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0) == cudaSuccess);
  CHECK(processors == properties.multiProcessorCount);
}

UPS_TEST(device_memory, every_schedule) {
  size_t free_bytes = 0, total_bytes = 0;
  CHECK(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess && free_bytes <= total_bytes);
  void* too_large = &free_bytes;
  CHECK(cudaMalloc(&too_large, total_bytes + 1) == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaFree(nullptr) == cudaSuccess && cudaFreeHost(nullptr) == cudaSuccess);

  const test::Stream stream;
  const test::DeviceArray<int> a(100), b(100);
  int *pinned = nullptr, host[100];
  CHECK(cudaMallocHost(&pinned, sizeof host) == cudaSuccess);
  CHECK(cudaMemsetAsync(a.data(), 1, sizeof host, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(b.data(), a.data(), sizeof host, cudaMemcpyDeviceToDevice, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(pinned, b.data(), sizeof host, cudaMemcpyDefault, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(pinned[0] == 0x01010101 && pinned[99] == 0x01010101);
  CHECK(cudaMemset(a.data(), 0, sizeof host) == cudaSuccess);
  CHECK(cudaMemcpy(host, a.data(), sizeof host, cudaMemcpyDeviceToHost) == cudaSuccess && host[99] == 0);

  cudaPointerAttributes attributes{};
  CHECK(cudaPointerGetAttributes(&attributes, b.data() + 50) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeDevice && attributes.device == 0);
  CHECK(cudaPointerGetAttributes(&attributes, pinned) == cudaSuccess && attributes.type == cudaMemoryTypeHost);
  CHECK(cudaPointerGetAttributes(&attributes, host) == cudaSuccess && attributes.type == cudaMemoryTypeUnregistered);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
  CHECK(cudaGetLastError() == cudaSuccess);
}

UPS_TEST(events, every_schedule) {
  const test::Stream stream;
  cudaEvent_t start = nullptr, end = nullptr;
  CHECK(cudaEventCreate(&start) == cudaSuccess && cudaEventCreateWithFlags(&end, cudaEventDefault) == cudaSuccess);
  CHECK(cudaEventQuery(start) == cudaSuccess);  // never recorded: nothing to wait for
  CHECK(cudaEventRecord(start, stream) == cudaSuccess && cudaEventRecord(end, stream) == cudaSuccess);
  CHECK(cudaEventSynchronize(end) == cudaSuccess && cudaEventQuery(end) == cudaSuccess);
  float milliseconds = -1;
  CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaSuccess && milliseconds >= 0);
  CHECK(cudaEventDestroy(start) == cudaSuccess && cudaEventDestroy(end) == cudaSuccess);
  while (cudaStreamQuery(stream) == cudaErrorNotReady) {
  }
  CHECK(cudaGetLastError() == cudaSuccess);
}

}  // namespace
