/* linear: y = act(x W^T + b), the dense layer.
 *
 * x [..., K], W [M, K] (PyTorch's layout), b [M] -> y [..., M]. K = 0 gives act(b).
 * leakyRelu has slope 0.01 (leakyRelu0.2: 0.2), elu alpha 1, gelu is the exact one (erf), as
 * PyTorch's defaults. Backward takes x, W, b, y and dy and gives dx, dW, db; any of the three may
 * be left out. NaN and infinities pass through. Outputs are overwritten. The same bits for any
 * number of threads. */
#ifndef UPSILON_OPS_LINEAR_H
#define UPSILON_OPS_LINEAR_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_LINEAR_FORWARD_SCHEMA \
  "x: real[..., K], weight: real[M, K], bias?: real[M] -> y: real[..., M]; activation: activation"
#define UPS_LINEAR_BACKWARD_SCHEMA                                                         \
  "x: real[..., K], weight: real[M, K], bias?: real[M], y: real[..., M], dy: real[..., M]" \
  " -> dx?: real[..., K], dweight?: real[M, K], dbias?: real[M]; activation: activation"

typedef struct ups_linear_options {
  size_t size UPS_DEFAULT(sizeof(ups_linear_options)); /* of this struct; 0: all defaults */
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_linear_options;

UPS_API ups_status ups_linear_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                      const ups_tensor* bias, ups_tensor* y,
                                      const ups_linear_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_linear_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                       const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy,
                                       ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                       const ups_linear_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
