/* attention_pool: a set's elements averaged with learned weights, in one pass: global attention
 * pooling (Li et al., arXiv:1511.05493, section 3.2; DGL's GlobalAttentionPooling), as the GATGAP
 * network of smartBKG ends with.
 *
 *   score_i = <weight, x_i> + scores_i
 *   alpha_i = exp(score_i) / sum over the set (the largest score is subtracted first)
 *   y[b, :] = sum of alpha_i x[i, :] over offsets[b] <= i < offsets[b+1]
 * Either part of the score may be left out; a constant in it has no effect. An empty set gives 0,
 * and so does one whose scores are all -inf; a single score of -inf leaves its element out, NaN
 * makes NaN of its set. Backward computes scores and weights again. Rows of x outside every set get
 * 0. A set's y and its rows of dx and dscores depend on the set alone, dweight is added up in an
 * order given by the offsets: the same bits for any number of threads. */
#ifndef UPSILON_OPS_ATTENTION_POOL_H
#define UPSILON_OPS_ATTENTION_POOL_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_ATTENTION_POOL_FORWARD_SCHEMA \
  "x: real[N, F], offsets: i32[B+1] splits N, weight?: real[F], scores?: real[N] -> y: real[B, F]"
#define UPS_ATTENTION_POOL_BACKWARD_SCHEMA                                                            \
  "x: real[N, F], offsets: i32[B+1] splits N, weight?: real[F], scores?: real[N], dy: real[B, F] -> " \
  "dx?: real[N, F], dweight?: real[F], dscores?: real[N]"

UPS_API ups_status ups_attention_pool_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                              const ups_tensor* weight, const ups_tensor* scores,
                                              ups_tensor* y) UPS_NOEXCEPT;
UPS_API ups_status ups_attention_pool_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                               const ups_tensor* weight, const ups_tensor* scores, const ups_tensor* dy,
                                               ups_tensor* dx, ups_tensor* dweight, ups_tensor* dscores) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
