/* concat: tensors side by side along their last axis; PyTorch's cat of dim -1.
 *
 *   y[..., :] = (x0[..., :], x1[..., :], ...)
 * Up to eight tensors, given from x0 on without gaps; widths may be 0.
 * Backward: each gradient is its columns of dy; x is looked at for its shape only. One pass.
 * Outputs are overwritten. */
#ifndef UPSILON_OPS_CONCAT_H
#define UPSILON_OPS_CONCAT_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_CONCAT_INPUTS_SCHEMA "{k=0..7: x<k><k?>: real[..., F<k>]}"
#define UPS_CONCAT_FORWARD_SCHEMA UPS_CONCAT_INPUTS_SCHEMA " -> y: real[..., {k=0..7+F<k>}]"
#define UPS_CONCAT_BACKWARD_SCHEMA \
  UPS_CONCAT_INPUTS_SCHEMA ", dy: real[..., {k=0..7+F<k>}] -> {k=0..7: dx<k>?: real[..., F<k>]}"

#define UPS_CONCAT_MAX_INPUTS 8

/* inputs, dinputs: UPS_CONCAT_MAX_INPUTS pointers each, NULL where there is none. */
UPS_API ups_status ups_concat_forward(ups_context* context, const ups_tensor* const* inputs,
                                      ups_tensor* y) UPS_NOEXCEPT;
UPS_API ups_status ups_concat_backward(ups_context* context, const ups_tensor* const* inputs, const ups_tensor* dy,
                                       const ups_tensor* const* dinputs) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
