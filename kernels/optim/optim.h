/* optim: optimiser steps, each one pass over parameter, gradient and state, updated in place; and
 * the accumulation of gradients.
 *
 * accumulate: y += scale * x.
 * sgd (PyTorch's SGD): g += weight_decay * p; v = momentum * v + g (v = g when step is 1);
 *   g = nesterov ? g + momentum * v : v; p -= learning_rate * g.
 *   Without a velocity, momentum is not used. nesterov needs a momentum above 0.
 * adam (Kingma and Ba, arXiv:1412.6980; decoupled: AdamW, arXiv:1711.05101), `step` counts from 1:
 *   m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g²;
 *   p -= learning_rate / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + epsilon).
 *   The weight decay goes into the gradient, g += weight_decay * p, or is decoupled,
 *   p *= 1 - learning_rate * weight_decay.
 * Numbers that depend on the step are worked out in float64 and rounded once. */
#ifndef UPSILON_OPS_OPTIM_H
#define UPSILON_OPS_OPTIM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_ACCUMULATE_SCHEMA "x: real[...] -> y&: real[...]; scale: f64 = 1"
#define UPS_SGD_SCHEMA                                                                                         \
  "gradient: real[...] -> parameter&: real[...], velocity?&: real[...]; "                                      \
  "learning_rate: f64 = 0.01 from 0, momentum: f64 = 0 from 0, weight_decay: f64 = 0 from 0, nesterov: bool, " \
  "step: i32 = 1 from 1"
#define UPS_ADAM_SCHEMA                                                                                     \
  "gradient: real[...] -> parameter&: real[...], mean&: real[...], square&: real[...]; "                    \
  "learning_rate: f64 = 0.001 from 0, beta1: f64 = 0.9 from 0 below 1, beta2: f64 = 0.999 from 0 below 1, " \
  "epsilon: f64 = 1e-8 from 0, weight_decay: f64 = 0 from 0, decoupled: bool, step: i32 = 1 from 1"

typedef struct ups_accumulate_options {
  size_t size UPS_DEFAULT(sizeof(ups_accumulate_options)); /* of this struct; 0: all defaults */
  double scale UPS_DEFAULT(1);
} ups_accumulate_options;

typedef struct ups_sgd_options {
  size_t size UPS_DEFAULT(sizeof(ups_sgd_options)); /* of this struct; 0: all defaults */
  double learning_rate UPS_DEFAULT(0.01), momentum UPS_DEFAULT(0), weight_decay UPS_DEFAULT(0);
  int32_t nesterov UPS_DEFAULT(0), step UPS_DEFAULT(1);
} ups_sgd_options;

typedef struct ups_adam_options {
  size_t size UPS_DEFAULT(sizeof(ups_adam_options)); /* of this struct; 0: all defaults */
  double learning_rate UPS_DEFAULT(0.001), beta1 UPS_DEFAULT(0.9), beta2 UPS_DEFAULT(0.999), epsilon UPS_DEFAULT(1e-8),
      weight_decay UPS_DEFAULT(0);
  int32_t decoupled UPS_DEFAULT(0), step UPS_DEFAULT(1);
} ups_adam_options;

UPS_API ups_status ups_accumulate(ups_context* context, const ups_tensor* x, ups_tensor* y,
                                  const ups_accumulate_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_sgd(ups_context* context, const ups_tensor* gradient, ups_tensor* parameter,
                           ups_tensor* velocity, const ups_sgd_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_adam(ups_context* context, const ups_tensor* gradient, ups_tensor* parameter, ups_tensor* mean,
                            ups_tensor* square, const ups_adam_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
