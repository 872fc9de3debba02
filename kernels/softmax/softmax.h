/* softmax: every row turned into weights that sum to 1; PyTorch's softmax over the last axis.
 *
 *   y_c = exp(x_c - max x) / sum over the row of exp(x_k - max x)
 * -inf gets weight 0; a row of -inf only becomes NaN, and so does a row with NaN or +inf. F = 0
 * gives nothing. Backward: dx_c = y_c (dy_c - sum_k y_k dy_k). A row's result depends on the row
 * alone: the same bits for any number of threads and any batching. Outputs are overwritten. */
#ifndef UPSILON_OPS_SOFTMAX_H
#define UPSILON_OPS_SOFTMAX_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_SOFTMAX_FORWARD_SCHEMA "x: real[..., F] -> y: real[..., F]"
#define UPS_SOFTMAX_BACKWARD_SCHEMA "y: real[..., F], dy: real[..., F] -> dx: real[..., F]"

UPS_API ups_status ups_softmax_forward(ups_context* context, const ups_tensor* x, ups_tensor* y) UPS_NOEXCEPT;
UPS_API ups_status ups_softmax_backward(ups_context* context, const ups_tensor* y, const ups_tensor* dy,
                                        ups_tensor* dx) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
