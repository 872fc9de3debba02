/* batch_norm: every channel to mean 0 and variance 1, of Ioffe and Szegedy, arXiv:1502.03167;
 * PyTorch's batch_norm.
 *
 *   y = act((x - mean) / sqrt(variance + eps) * weight + bias + residual)
 * for the numbers x[b, c, s] of channel c. x is [B, C, S]: S is the product of the axes behind the
 * channels, 1 where there are none. Rows b with mask[b] = 0 (padding) give 0 in y and in the
 * gradients, and are left out of the statistics. A residual is added before the activation.
 *
 * batch_norm takes mean and variance as they are given; they have no gradient. batch_norm_training
 * takes them from x (biased variance, over the rows that count and all s), gives them for the
 * backward pass, through which gradients pass, and updates the running ones where they are given:
 *   running = (1 - momentum) running + momentum batch
 * where the variance of the batch is the sum of squares over n - 1 (over 1 for n = 1).
 * moments: mean and variance of every channel of every row of x, where a convolution has taken them
 * already; x is then read once. They must be those of this x, which is not checked. Without any row
 * that counts mean and variance are 0 and the running ones stay.
 *
 * Sums are taken in fixed tiles and joined in float64, also the deviations from the mean: an offset
 * common to a channel costs no accuracy, and the bits are the same for any number of threads. In
 * training NaN and infinities make NaN of their channel. Outputs are overwritten. */
#ifndef UPSILON_OPS_BATCH_NORM_H
#define UPSILON_OPS_BATCH_NORM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_BATCH_NORM_AFFINE_SCHEMA "weight?: real[C], bias?: real[C], mask?: u8[B], residual?: real[B, C, S]"
#define UPS_BATCH_NORM_GRADIENTS_SCHEMA                                                 \
  ", y: real[B, C, S], dy: real[B, C, S] -> "                                           \
  "dx?: real[B, C, S], dweight?: real[C], dbias?: real[C], dresidual?: real[B, C, S]; " \
  "eps: f32 = 1e-5, activation: activation"
#define UPS_BATCH_NORM_FORWARD_SCHEMA                                                 \
  "x: real[B, C, S], mean: real[C], variance: real[C], " UPS_BATCH_NORM_AFFINE_SCHEMA \
  " -> y: real[B, C, S]; eps: f32 = 1e-5, activation: activation"
#define UPS_BATCH_NORM_BACKWARD_SCHEMA \
  "x: real[B, C, S], mean: real[C], variance: real[C], " UPS_BATCH_NORM_AFFINE_SCHEMA UPS_BATCH_NORM_GRADIENTS_SCHEMA
#define UPS_BATCH_NORM_TRAINING_FORWARD_SCHEMA                           \
  "x: real[B, C, S], " UPS_BATCH_NORM_AFFINE_SCHEMA                      \
  ", moments?: f64[B, C, 2]"                                             \
  " -> y: real[B, C, S], batch_mean?: f64[C], batch_variance?: f64[C], " \
  "running_mean?&: real[C], running_variance?&: real[C]; "               \
  "eps: f32 = 1e-5, activation: activation, momentum: f32 = 0.1 from 0 to 1"
#define UPS_BATCH_NORM_TRAINING_BACKWARD_SCHEMA                                                 \
  "x: real[B, C, S], batch_mean: f64[C], batch_variance: f64[C], " UPS_BATCH_NORM_AFFINE_SCHEMA \
      UPS_BATCH_NORM_GRADIENTS_SCHEMA

typedef struct ups_batch_norm_options {
  size_t size UPS_DEFAULT(sizeof(ups_batch_norm_options)); /* of this struct; 0: all defaults */
  float eps UPS_DEFAULT(1e-5f);
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_batch_norm_options;

typedef struct ups_batch_norm_training_options {
  size_t size UPS_DEFAULT(sizeof(ups_batch_norm_training_options)); /* of this struct; 0: all defaults */
  float eps UPS_DEFAULT(1e-5f);
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
  float momentum UPS_DEFAULT(0.1f); /* the share of the batch in the running statistics */
} ups_batch_norm_training_options;

UPS_API ups_status ups_batch_norm_forward(ups_context* context, const ups_tensor* x, const ups_tensor* mean,
                                          const ups_tensor* variance, const ups_tensor* weight, const ups_tensor* bias,
                                          const ups_tensor* mask, const ups_tensor* residual, ups_tensor* y,
                                          const ups_batch_norm_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_batch_norm_backward(ups_context* context, const ups_tensor* x, const ups_tensor* mean,
                                           const ups_tensor* variance, const ups_tensor* weight, const ups_tensor* bias,
                                           const ups_tensor* mask, const ups_tensor* residual, const ups_tensor* y,
                                           const ups_tensor* dy, ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                           ups_tensor* dresidual, const ups_batch_norm_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_batch_norm_training_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                                   const ups_tensor* bias, const ups_tensor* mask,
                                                   const ups_tensor* residual, const ups_tensor* moments, ups_tensor* y,
                                                   ups_tensor* batch_mean, ups_tensor* batch_variance,
                                                   ups_tensor* running_mean, ups_tensor* running_variance,
                                                   const ups_batch_norm_training_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_batch_norm_training_backward(ups_context* context, const ups_tensor* x,
                                                    const ups_tensor* batch_mean, const ups_tensor* batch_variance,
                                                    const ups_tensor* weight, const ups_tensor* bias,
                                                    const ups_tensor* mask, const ups_tensor* residual,
                                                    const ups_tensor* y, const ups_tensor* dy, ups_tensor* dx,
                                                    ups_tensor* dweight, ups_tensor* dbias, ups_tensor* dresidual,
                                                    const ups_batch_norm_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
