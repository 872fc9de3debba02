/* dropout: elements become 0 with probability p, the others are divided by 1 - p (Srivastava et
 * al., JMLR 15, 1929 (2014)).
 *
 *   y[i] = u_i < p ? 0 : x[i] / (1 - p)
 * where u_i is uniform number i of Philox 4x32-10, as the operation random gives it. Which elements
 * stay depends on their index, seed and stream only: the same on every device, and drawn again in
 * the backward pass, so that no mask is stored. A dropped NaN or infinity gives 0. p = 1 drops
 * everything. Outputs are overwritten. */
#ifndef UPSILON_OPS_DROPOUT_H
#define UPSILON_OPS_DROPOUT_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_DROPOUT_OPTIONS_SCHEMA "; p: f32 = 0.5 from 0 to 1, seed: u64, stream: u64"
#define UPS_DROPOUT_FORWARD_SCHEMA "x: real[...] -> y: real[...]" UPS_DROPOUT_OPTIONS_SCHEMA
#define UPS_DROPOUT_BACKWARD_SCHEMA "dy: real[...] -> dx: real[...]" UPS_DROPOUT_OPTIONS_SCHEMA

typedef struct ups_dropout_options {
  size_t size UPS_DEFAULT(sizeof(ups_dropout_options)); /* of this struct; 0: all defaults */
  float p UPS_DEFAULT(0.5f);
  uint64_t seed UPS_DEFAULT(0), stream UPS_DEFAULT(0);
} ups_dropout_options;

UPS_API ups_status ups_dropout_forward(ups_context* context, const ups_tensor* x, ups_tensor* y,
                                       const ups_dropout_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_dropout_backward(ups_context* context, const ups_tensor* dy, ups_tensor* dx,
                                        const ups_dropout_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
