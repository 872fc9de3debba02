/* layer_norm: every row to mean 0 and variance 1, of Ba, Kiros and Hinton, arXiv:1607.06450;
 * PyTorch's layer_norm.
 *
 *   y = act((x - mean) / sqrt(variance + eps) * weight + bias)
 * with mean and (biased) variance over the F numbers of a row. Several last axes count as one: F is
 * their product. A row of equal numbers gives act(bias); F = 0 gives nothing. moments: mean and
 * variance of every row of x, where a convolution has taken them already; x is then read once.
 * They must be those of this x, which is not checked, and have no gradient: backward differentiates
 * through x, as if they had been taken here. NaN and infinities make NaN of their row only.
 * Backward computes mean and variance again from x. Sums over a row are taken in fixed chunks and
 * joined in float64, so an offset common to a row costs no accuracy; gradients of weight and bias
 * are sums over fixed chunks of rows. The same bits for any number of threads. Outputs are
 * overwritten. */
#ifndef UPSILON_OPS_LAYER_NORM_H
#define UPSILON_OPS_LAYER_NORM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_LAYER_NORM_FORWARD_SCHEMA                                                                              \
  "x: real[..., F], weight?: real[F], bias?: real[F], moments?: f64[..., 2] -> y: real[..., F]; eps: f32 = 1e-5, " \
  "activation: activation"
#define UPS_LAYER_NORM_BACKWARD_SCHEMA                                                       \
  "x: real[..., F], weight?: real[F], bias?: real[F], y: real[..., F], dy: real[..., F] -> " \
  "dx?: real[..., F], dweight?: real[F], dbias?: real[F]; eps: f32 = 1e-5, activation: activation"

typedef struct ups_layer_norm_options {
  size_t size UPS_DEFAULT(sizeof(ups_layer_norm_options)); /* of this struct; 0: all defaults */
  float eps UPS_DEFAULT(1e-5f);
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_layer_norm_options;

UPS_API ups_status ups_layer_norm_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                          const ups_tensor* bias, const ups_tensor* moments, ups_tensor* y,
                                          const ups_layer_norm_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_layer_norm_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                           const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy,
                                           ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                           const ups_layer_norm_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
