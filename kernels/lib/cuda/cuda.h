// What every CUDA kernel source includes: launching under a checked call, and indices.
//
// The first parameter of every kernel is the call's fault word. Once it is set, an index somewhere
// is out of range, and a kernel returns before it touches anything.
#pragma once
#include "lib/kernel.h"
#include "cuda/plugin/status.h"
#include "cuda/ups_cuda.h"

namespace upsilon {

inline constexpr int block_threads = 256;
inline constexpr unsigned full_warp = 0xffffffffu;

// This thread's number in the whole launch, and how many there are: for loops over elements.
UPS_ON_DEVICE int64_t global_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
UPS_ON_DEVICE int64_t global_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// Threads that share a row: the smallest power of two that covers it, at most a warp.
inline int lanes_for(int64_t width, int most = 32) {
  int lanes = 1;
  while (lanes < most && lanes < width) lanes *= 2;
  return lanes;
}

// Launches the kernels of one call, one after the other in its stream; after a failure it launches
// no more.
class Launcher {
 public:
  explicit Launcher(const Call& call) : stream_(static_cast<cudaStream_t>(call.stream)), fault_(call.fault) {}

  // `blocks` x `layers` of `threads` each; none when either is 0. The fault word is put before the
  // arguments.
  template <class... Parameters, class... Arguments>
  void grid(void (*kernel)(Parameters...), int64_t blocks, int64_t layers, int threads, size_t shared_bytes,
            Arguments&&... arguments) {
    if (error_ != cudaSuccess || blocks == 0 || layers == 0) return;
    if (blocks > max_blocks || layers > max_layers) error_ = cudaErrorInvalidConfiguration;
    else
      error_ = ups::launch(kernel, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(layers)),
                           static_cast<unsigned>(threads), shared_bytes, stream_, fault_,
                           std::forward<Arguments>(arguments)...);
  }
  // For kernels that loop over elements by global_threads(): as many threads as keep the device
  // busy.
  template <class... Parameters, class... Arguments>
  void elements(void (*kernel)(Parameters...), int64_t count, Arguments&&... arguments) {
    const int64_t blocks = std::min(ceil_div(count, block_threads), busy_blocks());
    grid(kernel, blocks, 1, block_threads, 0, std::forward<Arguments>(arguments)...);
  }

  void clear(void* data, size_t bytes) {
    if (error_ == cudaSuccess && bytes > 0) error_ = cudaMemsetAsync(data, 0, bytes, stream_);
  }
  ups_status status() const { return device_status(error_); }

 private:
  static constexpr int64_t max_blocks = 0x7fffffff, max_layers = 65535;
  static constexpr int64_t blocks_per_multiprocessor = 16;  // of block_threads: twice what is resident

  cudaStream_t stream_;
  const int32_t* fault_;
  cudaError_t error_ = cudaSuccess;

  static int64_t busy_blocks() {
    int device = 0, multiprocessors = 1;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device) != cudaSuccess)
      (void)cudaGetLastError();
    return multiprocessors * blocks_per_multiprocessor;
  }
};

// Registers a CUDA kernel: UPS_CUDA_VARIANT(forward, LinearForwardCall, forward, workspace)
#define UPS_CUDA_VARIANT(entry, named, ...) \
  static const VariantEntry entry##_variant{named::operation.name, Variant::cuda, KernelEntry{__VA_ARGS__}};

}  // namespace upsilon
