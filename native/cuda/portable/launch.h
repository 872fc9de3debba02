// The one way to launch a kernel.  The arguments are converted here to the kernel's own parameter
// types, so a wrong type is a compile error and never a misread stack.
#pragma once

namespace ups {

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "the kernel takes another number of arguments");
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernel parameters are copied bit by bit");
  return launch_packed(kernel, grid, block, shared_bytes, stream,
                       std::tuple<Parameters...>(static_cast<Parameters>(std::forward<Arguments>(arguments))...));
}

}  // namespace ups
