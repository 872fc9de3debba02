// CUDA. Floor: memory, x and y once (backward y, dy and dx). A warp takes a set and up to 32 columns; with fewer columns its
// lanes share the rows.
#include "segment_softmax/segment_softmax.h"

#include "common/softmax.cuh"
#include "segment_softmax/segment_softmax_call.h"

namespace upsilon {
namespace {

// Calls body(column) in all lanes of a warp for every set and strip of columns.
template <class Sets, class Body>
UPS_ON_DEVICE void each_column(const Sets& f, int column_lanes, Body body) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t strips = (f.columns + column_lanes - 1) / column_lanes;
  for (int64_t at = global_thread() / 32; at < f.sets * strips; at += global_threads() / 32) {
    const int64_t set = at / strips, column = at % strips * column_lanes + lane % column_lanes;
    const int64_t begin = f.offsets[set], rows = column < f.columns ? f.offsets[set + 1] - begin : 0;
    body(WarpColumn{begin * f.columns + column, rows, f.columns, lane, column_lanes});
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
softmax_sets(const int32_t* fault, SegmentSoftmaxForward<float> f, int column_lanes) {
  if (*fault != 0) return;
  each_column(f, column_lanes, [&](const WarpColumn& column) { column.softmax(f.x, f.y); });
}

template <int threads>
UPS_KERNEL_LB(threads)
gradient_sets(const int32_t* fault, SegmentSoftmaxBackward<float> f, int column_lanes) {
  if (*fault != 0) return;
  each_column(f, column_lanes, [&](const WarpColumn& column) { column.gradient(f.y, f.dy, f.dx); });
}

template <class Sets, class Kernel>
ups_status run(const Call& call, const Sets& f, Kernel kernel) {
  Launcher launch(call);
  // Rows outside every set.
  launch.clear(f.result(), sizeof(float) * static_cast<size_t>(f.elements * f.columns));
  const int column_lanes = lanes_for(f.columns);
  launch.elements(kernel, f.sets * ceil_div(f.columns, column_lanes) * 32, f, column_lanes);
  return launch.status();
}

ups_status forward(const Call& call) {
  return run(call, SegmentSoftmaxForward<float>(call), softmax_sets<block_threads>);
}
ups_status backward(const Call& call) {
  return run(call, SegmentSoftmaxBackward<float>(call), gradient_sets<block_threads>);
}

UPS_CUDA_VARIANT(forward, "segment_softmax_forward", forward)
UPS_CUDA_VARIANT(backward, "segment_softmax_backward", backward)

}  // namespace
}  // namespace upsilon
