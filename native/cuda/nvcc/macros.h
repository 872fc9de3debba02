// The words of kernel sources in CUDA proper.
#pragma once

#include <cuda_runtime.h>

#define UPS_HD __host__ __device__
#define UPS_ON_DEVICE __device__ __forceinline__
#define UPS_KERNEL static __global__ void
#define UPS_KERNEL_LB(...) static __global__ void __launch_bounds__(__VA_ARGS__)
#define UPS_UNROLL _Pragma("unroll")
#define UPS_NO_UNROLL _Pragma("unroll 1")

#define UPS_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
// One name for all kernels: the compiler wants every extern declaration of it to have the same
// type.
#define UPS_SHARED_DYN(T, name)                                        \
  extern __shared__ __align__(128) unsigned char ups_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(ups_dynamic_shared)

// The emulation hands the place of a call on, for its error texts; the device has no use for it.
#define UPS_SITE
#define UPS_AND_SITE
#define UPS_PASS_SITE
