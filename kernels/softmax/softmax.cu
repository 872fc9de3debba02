// CUDA. Floor: memory, x and y once (backward y, dy and dx). A warp takes a row, which stays in cache from its first pass to
// its last.
#include "softmax/softmax.h"

#include "common/softmax.cuh"
#include "softmax/softmax_call.h"

namespace upsilon {
namespace {

template <int threads>
UPS_KERNEL_LB(threads)
softmax_rows(const int32_t* fault, SoftmaxForward<float> f) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t row = global_thread() / 32; row < f.rows; row += global_threads() / 32)
    WarpColumn{row * f.features, f.features, 1, lane, 1}.softmax(f.x, f.y);
}

template <int threads>
UPS_KERNEL_LB(threads)
gradient_rows(const int32_t* fault, SoftmaxBackward<float> f) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t row = global_thread() / 32; row < f.rows; row += global_threads() / 32)
    WarpColumn{row * f.features, f.features, 1, lane, 1}.gradient(f.y, f.dy, f.dx);
}

ups_status forward(const Call& call) {
  const SoftmaxForward<float> f(call);
  Launcher launch(call);
  launch.elements(softmax_rows<block_threads>, f.rows * 32, f);
  return launch.status();
}

ups_status backward(const Call& call) {
  const SoftmaxBackward<float> f(call);
  Launcher launch(call);
  launch.elements(gradient_rows<block_threads>, f.rows * 32, f);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "softmax_forward", forward)
UPS_CUDA_VARIANT(backward, "softmax_backward", backward)

}  // namespace
}  // namespace upsilon
