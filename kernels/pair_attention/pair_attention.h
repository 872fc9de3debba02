/* pair_attention: attention of several heads inside each set (event), with a bias that a network
 * makes of the four-momenta of a pair: the particle attention of the Particle Transformer
 * (arXiv:2202.03772).
 *
 *   bias_ij = the layers applied to the four features of the pair (i, j)
 *   score_ij = scale <q_i, k_j> + bias_ij
 *   p_ij = exp(score_ij) / sum over the particles j of the event
 *   y_i = sum_j p_ij v_j
 * for each head: attention.h, where queries and keys are the particles of an event. The features
 * are those of pair_features.h (ln kT, ln z, ln Delta R, ln m^2; eps as there), the layers those of
 * mlp.h, up to four; the last has an output for each head. A pair and its mirror image have the
 * same bias. No pair is masked; rows outside every event give 0, and gradient 0. softmax is
 * attention's: the largest score and the sum of exp(score - largest), for backward.
 *
 * The bias is never stored as a whole: on the CPU each worker holds that of one event, or of some
 * rows of an event of more than 128 particles; on a device a block holds that of 64 pairs. So
 * memory is linear in the number of particles. Backward computes features, layers and scores again.
 * A device takes layers up to 256 wide (backward: up to about 500 for all layers together, those
 * with gelu counted twice) and heads of any width. What is added to all scores of a query alike
 * does not change its weights: the gradient of the last layer's bias is 0 up to rounding. y and the
 * gradients of an event depend on the event alone; the gradients of the parameters are added up in
 * an order given by the offsets. The same bits for any number of threads. */
#ifndef UPSILON_OPS_PAIR_ATTENTION_H
#define UPSILON_OPS_PAIR_ATTENTION_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The heads: as many as the last layer has outputs. */
#define UPS_PAIR_ATTENTION_HEADS "{l=3..0|M<l>}"
#define UPS_PAIR_ATTENTION_INPUTS_SCHEMA                                                             \
  "momenta: real[N, 4] finite, offsets: i32[B+1] splits N, weight0: real[M0, 4], bias0?: real[M0], " \
  "{l=1..3: weight<l>?: real[M<l>, M<l-1>], bias<l>?: real[M<l>]}, "                                 \
  "q: real[N, " UPS_PAIR_ATTENTION_HEADS ", D], k: real[N, " UPS_PAIR_ATTENTION_HEADS                \
  ", D], "                                                                                           \
  "v: real[N, " UPS_PAIR_ATTENTION_HEADS ", V]"
#define UPS_PAIR_ATTENTION_OPTIONS_SCHEMA \
  "; {l=0..3: activation<l>: activation}, scale: f32 = 0, eps: f32 = 1e-8 above 0"
#define UPS_PAIR_ATTENTION_FORWARD_SCHEMA                                                        \
  UPS_PAIR_ATTENTION_INPUTS_SCHEMA                                                               \
  " -> y: real[N, " UPS_PAIR_ATTENTION_HEADS ", V], softmax?: real[N, " UPS_PAIR_ATTENTION_HEADS \
  ", 2]" UPS_PAIR_ATTENTION_OPTIONS_SCHEMA
#define UPS_PAIR_ATTENTION_BACKWARD_SCHEMA                                                    \
  UPS_PAIR_ATTENTION_INPUTS_SCHEMA                                                            \
  ", y: real[N, " UPS_PAIR_ATTENTION_HEADS ", V], softmax: real[N, " UPS_PAIR_ATTENTION_HEADS \
  ", 2], "                                                                                    \
  "dy: real[N, " UPS_PAIR_ATTENTION_HEADS                                                     \
  ", V] -> dmomenta?: real[N, 4], dweight0?: real[M0, 4], "                                   \
  "dbias0?: real[M0], {l=1..3: dweight<l>?: real[M<l>, M<l-1>], dbias<l>?: real[M<l>]}, "     \
  "dq?: real[N, " UPS_PAIR_ATTENTION_HEADS ", D], dk?: real[N, " UPS_PAIR_ATTENTION_HEADS     \
  ", D], "                                                                                    \
  "dv?: real[N, " UPS_PAIR_ATTENTION_HEADS ", V]" UPS_PAIR_ATTENTION_OPTIONS_SCHEMA

#define UPS_PAIR_ATTENTION_MAX_LAYERS 4

typedef struct ups_pair_attention_options {
  size_t size UPS_DEFAULT(sizeof(ups_pair_attention_options)); /* of this struct; 0: all defaults */
  int32_t activation[UPS_PAIR_ATTENTION_MAX_LAYERS] UPS_DEFAULT({}); /* ups_activation of each layer */
  float scale UPS_DEFAULT(0); /* 0: 1/sqrt(D) */
  float eps UPS_DEFAULT(1e-8f); /* more than 0 */
} ups_pair_attention_options;

/* weights and biases: UPS_PAIR_ATTENTION_MAX_LAYERS pointers each, NULL behind the last layer. */
UPS_API ups_status ups_pair_attention_forward(ups_context* context, const ups_tensor* momenta,
                                              const ups_tensor* offsets, const ups_tensor* const* weights,
                                              const ups_tensor* const* biases, const ups_tensor* q, const ups_tensor* k,
                                              const ups_tensor* v, ups_tensor* y, ups_tensor* softmax,
                                              const ups_pair_attention_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_pair_attention_backward(ups_context* context, const ups_tensor* momenta,
                                               const ups_tensor* offsets, const ups_tensor* const* weights,
                                               const ups_tensor* const* biases, const ups_tensor* q,
                                               const ups_tensor* k, const ups_tensor* v, const ups_tensor* y,
                                               const ups_tensor* softmax, const ups_tensor* dy, ups_tensor* dmomenta,
                                               const ups_tensor* const* dweights, const ups_tensor* const* dbiases,
                                               ups_tensor* dq, ups_tensor* dk, ups_tensor* dv,
                                               const ups_pair_attention_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
