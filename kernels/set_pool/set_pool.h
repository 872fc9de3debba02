/* set_pool: one row per set (event) from the rows of its elements.
 *
 * y[b, :] = pool of x[i, :] over offsets[b] <= i < offsets[b+1]; an empty set gives 0. With weights
 * w, sum is the sum of w_i x_i and mean that sum over the sum of w_i (0, with gradient 0, where
 * this is 0); max and min take no weights. Backward: sum passes dy to every element, mean dy /
 * size, max and min to the extreme element, ties to the lowest index; rows of x outside every set
 * get 0. x is needed for max, min and dweights only. NaN in a set makes its max and min NaN, as in
 * PyTorch; the first NaN then gets the gradient. The same bits for any number of threads and any
 * batching: a set's sum depends on the set alone. */
#ifndef UPSILON_OPS_SET_POOL_H
#define UPSILON_OPS_SET_POOL_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_SET_POOL_FORWARD_SCHEMA \
  "x: real[N, C], offsets: i32[B+1] splits N, weights?: real[N] -> y: real[B, C]; pool: sum|mean|max|min"
#define UPS_SET_POOL_BACKWARD_SCHEMA                                                                   \
  "x?: real[N, C], offsets: i32[B+1] splits N, weights?: real[N], dy: real[B, C] -> dx?: real[N, C], " \
  "dweights?: real[N]; pool: sum|mean|max|min"

typedef struct ups_set_pool_options {
  size_t size UPS_DEFAULT(sizeof(ups_set_pool_options)); /* of this struct; 0: all defaults */
  int32_t pool UPS_DEFAULT(0); /* ups_pool */
} ups_set_pool_options;

UPS_API ups_status ups_set_pool_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                        const ups_tensor* weights, ups_tensor* y,
                                        const ups_set_pool_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_set_pool_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                         const ups_tensor* weights, const ups_tensor* dy, ups_tensor* dx,
                                         ups_tensor* dweights, const ups_set_pool_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
