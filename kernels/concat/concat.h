/* concat: tensors side by side along their last axis; PyTorch's cat of dim -1.
 *
 *   y[..., :] = (x0[..., :], x1[..., :], ...), up to eight tensors, given from 0 on; widths may be 0.
 * Backward: each gradient is its columns of dy; x is looked at for its shape only. One pass. Outputs are overwritten. */
#ifndef UPSILON_OPS_CONCAT_H
#define UPSILON_OPS_CONCAT_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_CONCAT_INPUTS_SCHEMA                                                                        \
  "x0: real[..., F0], x1?: real[..., F1], x2?: real[..., F2], x3?: real[..., F3], x4?: real[..., F4], " \
  "x5?: real[..., F5], x6?: real[..., F6], x7?: real[..., F7]"
#define UPS_CONCAT_FORWARD_SCHEMA UPS_CONCAT_INPUTS_SCHEMA " -> y: real[..., F0+F1+F2+F3+F4+F5+F6+F7]"
#define UPS_CONCAT_BACKWARD_SCHEMA                                                                              \
  UPS_CONCAT_INPUTS_SCHEMA                                                                                      \
  ", dy: real[..., F0+F1+F2+F3+F4+F5+F6+F7] -> dx0?: real[..., F0], dx1?: real[..., F1], dx2?: real[..., F2], " \
  "dx3?: real[..., F3], dx4?: real[..., F4], dx5?: real[..., F5], dx6?: real[..., F6], dx7?: real[..., F7]"

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
