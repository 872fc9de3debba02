/* segment_softmax: a softmax over the elements of each set (event), column by column; PyTorch
 * Geometric's softmax.
 *
 *   y[i, c] = exp(x[i, c] - largest) / sum of these over offsets[b] <= i < offsets[b+1]
 * Rows outside every set get 0. -inf gets weight 0; a column of a set with -inf only, or with NaN
 * or +inf, becomes NaN. Backward: dx = y (dy - sum over the set of y dy). A set's result depends on
 * the set alone: the same bits for any number of threads and any batching. Outputs are
 * overwritten. */
#ifndef UPSILON_OPS_SEGMENT_SOFTMAX_H
#define UPSILON_OPS_SEGMENT_SOFTMAX_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_SEGMENT_SOFTMAX_FORWARD_SCHEMA "x: real[N, C], offsets: i32[B+1] splits N -> y: real[N, C]"
#define UPS_SEGMENT_SOFTMAX_BACKWARD_SCHEMA \
  "offsets: i32[B+1] splits N, y: real[N, C], dy: real[N, C] -> dx: real[N, C]"

UPS_API ups_status ups_segment_softmax_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                               ups_tensor* y) UPS_NOEXCEPT;
UPS_API ups_status ups_segment_softmax_backward(ups_context* context, const ups_tensor* offsets, const ups_tensor* y,
                                                const ups_tensor* dy, ups_tensor* dx) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
