#pragma once

#include <functional>

#include "executor.h"

namespace ups {

namespace emu {

// Puts device work at the end of a stream; what it returns is the stream's fault, if any.
cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> work);
// Remembers a refused launch for cudaGetLastError.
cudaError_t refuse_launch(cudaError_t error);

}  // namespace emu

template <class... Parameters>
cudaError_t launch_packed(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                          cudaStream_t stream, std::tuple<Parameters...> parameters) {
  if (const cudaError_t error = emu::check_launch(grid, block, shared_bytes)) return emu::refuse_launch(error);
  return emu::enqueue(stream, [=] {
    struct Call {
      void (*kernel)(Parameters...);
      const std::tuple<Parameters...>* parameters;
    } const call{kernel, &parameters};
    return emu::run_grid(
        grid, block, shared_bytes,
        [](const void* opaque) {
          const auto* self = static_cast<const Call*>(opaque);
          std::apply(self->kernel, *self->parameters);
        },
        &call);
  });
}

}  // namespace ups
