#pragma once

namespace ups {

// More than this needs the kernel's consent ("Maximum amount of shared memory per thread block",
// CUDA C++ guide).
inline constexpr size_t shared_bytes_without_consent = 48 * 1024;

template <class... Parameters, size_t... Index>
cudaError_t launch_indexed(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                           cudaStream_t stream, std::tuple<Parameters...>& parameters, std::index_sequence<Index...>) {
  void* pointers[sizeof...(Parameters) + 1] = {static_cast<void*>(&std::get<Index>(parameters))..., nullptr};
  if (shared_bytes > shared_bytes_without_consent) {
    const cudaError_t refused =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    if (refused != cudaSuccess) return refused;
  }
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, shared_bytes, stream);
}

template <class... Parameters>
cudaError_t launch_packed(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                          cudaStream_t stream, std::tuple<Parameters...> parameters) {
  return launch_indexed(kernel, grid, block, shared_bytes, stream, parameters,
                        std::index_sequence_for<Parameters...>{});
}

}  // namespace ups
