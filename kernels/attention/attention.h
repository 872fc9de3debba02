/* attention: scaled dot product attention of several heads (Vaswani et al., arXiv:1706.03762)
 * inside each set (event), for ragged sets: self-attention, or attention of one set's elements to
 * those of another.
 *
 * Set b has the queries offsets[b] <= i < offsets[b+1] and the keys key_offsets[b] <= j <
 * key_offsets[b+1]. For a head:
 *   score_ij = scale <q_i, k_j> + bias_ij
 *   y_i = sum_j p_ij v_j
 *   p_ij = exp(score_ij) / sum over the keys j of the set (the largest score is subtracted first)
 * scale: 0, the default, stands for Vaswani's 1/sqrt(D) (1 where D is 0); 1 is Luong's form.
 * causal: query number i of its set sees the keys number 0 to i of its own (PyTorch's is_causal).
 * bias: per set [H, queries, keys], one set after the other; it is added to every head's scores. A
 * score of -infinity, usually from the bias, masks the pair: nothing passes through it, not even a
 * NaN of its key, value or query, and its gradients are 0. A query with nothing to attend to gives
 * 0 and has no gradient (PyTorch's scaled_dot_product_attention; nn.MultiheadAttention gives NaN
 * there). Rows outside every set give 0, and gradient 0.
 *
 * dropout: y_i = sum_j d_ij p_ij v_j, where d_ij is 0 with probability `dropout`, else 1 / (1 -
 * dropout); p stays the softmax over all keys (nn.MultiheadAttention's dropout). d is what the
 * operation dropout makes of ones that lie as the bias does, by seed and stream: it depends on the
 * place of set, head, query and key among all pairs only, and backward draws it again. Nothing
 * passes through a dropped pair, not even a NaN of its value. 0 <= dropout < 1.
 *
 * softmax holds what backward recomputes p from, for each query and head: the largest score and the
 * sum of exp(score - largest). Their log-sum-exp as one number would lose the sum where scores are
 * large. -infinity and 0 where there is nothing to attend to.
 * Nothing of the size of queries times keys is stored except bias and its gradient. Memory is
 * linear in the elements. The same bits for any number of threads and any batching: every sum's
 * order depends on its set alone (with dropout, which pairs are kept depends on the sizes of the
 * sets before, too). */
#ifndef UPSILON_OPS_ATTENTION_H
#define UPSILON_OPS_ATTENTION_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_ATTENTION_INPUTS_SCHEMA                                                                                    \
  "q: real[N, H, D], k: real[M, H, D], v: real[M, H, V], offsets: i32[B+1] splits N, key_offsets: i32[B+1] splits M, " \
  "bias?: real[P] pairs H offsets key_offsets"
#define UPS_ATTENTION_OPTIONS_SCHEMA \
  "; scale: f32 = 0, causal: bool, dropout: f32 = 0 from 0 below 1, seed: u64, stream: u64"
#define UPS_ATTENTION_FORWARD_SCHEMA \
  UPS_ATTENTION_INPUTS_SCHEMA " -> y: real[N, H, V], softmax?: real[N, H, 2]" UPS_ATTENTION_OPTIONS_SCHEMA
#define UPS_ATTENTION_BACKWARD_SCHEMA                                                                              \
  UPS_ATTENTION_INPUTS_SCHEMA                                                                                      \
  ", y: real[N, H, V], softmax: real[N, H, 2], dy: real[N, H, V] -> dq?: real[N, H, D], dk?: real[M, H, D], dv?: " \
  "real[M, H, V], dbias?: real[P] pairs H offsets key_offsets" UPS_ATTENTION_OPTIONS_SCHEMA

typedef struct ups_attention_options {
  size_t size UPS_DEFAULT(sizeof(ups_attention_options)); /* of this struct; 0: all defaults */
  float scale UPS_DEFAULT(0); /* 0: 1/sqrt(D) */
  int32_t causal UPS_DEFAULT(0); /* 0 or 1 */
  float dropout UPS_DEFAULT(0);
  uint64_t seed UPS_DEFAULT(0), stream UPS_DEFAULT(0); /* of dropout, as dropout.h has them */
} ups_attention_options;

UPS_API ups_status ups_attention_forward(ups_context* context, const ups_tensor* q, const ups_tensor* k,
                                         const ups_tensor* v, const ups_tensor* offsets, const ups_tensor* key_offsets,
                                         const ups_tensor* bias, ups_tensor* y, ups_tensor* softmax,
                                         const ups_attention_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_attention_backward(ups_context* context, const ups_tensor* q, const ups_tensor* k,
                                          const ups_tensor* v, const ups_tensor* offsets, const ups_tensor* key_offsets,
                                          const ups_tensor* bias, const ups_tensor* y, const ups_tensor* softmax,
                                          const ups_tensor* dy, ups_tensor* dq, ups_tensor* dk, ups_tensor* dv,
                                          ups_tensor* dbias, const ups_attention_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
