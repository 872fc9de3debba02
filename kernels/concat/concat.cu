// CUDA: threads side by side take the numbers of a row. Floor: memory, every number read and
// written once.
#include "concat/concat.h"

#include "lib/cuda/cuda.h"
#include "concat/concat_call.h"

namespace upsilon {
namespace {

// Calls body(part, place in the part, place in the whole) for this thread's numbers of the parts
// that are there.
template <class F, class Body>
UPS_ON_DEVICE void each_number(const F& f, int lanes, Body body) {
  const int64_t lane = global_thread() % lanes, step = global_threads() / lanes;
  for (int64_t row = global_thread() / lanes; row < f.rows; row += step)
    for (int k = 0; k < max_parts; ++k)
      for (int64_t c = lane; f.part[k] && c < f.widths[k]; c += lanes)
        body(k, static_cast<size_t>(row * f.widths[k] + c), static_cast<size_t>(row * f.width + f.begin[k] + c));
}

template <int threads>
UPS_KERNEL_LB(threads)
join(const int32_t* fault, ConcatForward<float> f, int lanes) {
  if (*fault != 0) return;
  each_number(f, lanes, [&](int k, size_t from, size_t to) { f.y[to] = f.part[k][from]; });
}

template <int threads>
UPS_KERNEL_LB(threads)
split(const int32_t* fault, ConcatBackward<float> f, int lanes) {
  if (*fault != 0) return;
  each_number(f, lanes, [&](int k, size_t to, size_t from) { f.part[k][to] = f.dy[from]; });
}

ups_status forward(const Call& call) {
  const ConcatForward<float> f(call);
  Launcher launch(call);
  const int lanes = lanes_for(f.width);
  launch.elements(join<block_threads>, f.rows * lanes, f, lanes);
  return launch.status();
}

ups_status backward(const Call& call) {
  const ConcatBackward<float> f(call);
  Launcher launch(call);
  const int lanes = lanes_for(f.width);
  launch.elements(split<block_threads>, f.rows * lanes, f, lanes);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, ConcatForwardCall, forward)
UPS_CUDA_VARIANT(backward, ConcatBackwardCall, backward)

}  // namespace
}  // namespace upsilon
