/* deep_set: a per-particle MLP and the pooling of its results over each set (event), in one pass.
 *
 * y[b, :] = pool of h_i over offsets[b] <= i < offsets[b+1], where h_i is mlp's result for the row
 * x[i] (layers as in mlp.h, up to four). An MLP of y, per event, is ups_mlp_forward: together they
 * are DeepSets (Zaheer et al., arXiv:1703.06114) and, with weights, energy-flow networks (Komiske
 * et al., arXiv:1810.05165). Pooling: sum, mean, max, min. With particle_weights w, sum is the sum
 * of w_i h_i and mean that sum over the sum of w_i (0, with gradient 0, where this is 0); max and
 * min take no weights. An empty set gives 0. Backward: max and min pass dy to the extreme element,
 * ties to the lowest index; NaN as in set_pool.h. Rows of x outside every set get 0. Backward
 * computes the layers again: hidden activations are never stored as a whole, except on a device
 * where a layer is wider than 256 (backward: where the layers together are wider than about 500,
 * those with gelu counted twice). A set's y and its rows of dx and dparticle_weights depend on the
 * set alone, not on its batch; the gradients of the parameters are added up in an order given by
 * the offsets. The same bits for any number of threads. */
#ifndef UPSILON_OPS_DEEP_SET_H
#define UPSILON_OPS_DEEP_SET_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_DEEP_SET_INPUTS_SCHEMA                                          \
  "x: real[N, K], offsets: i32[B+1] splits N, particle_weights?: real[N], " \
  "weight0: real[M0, K], bias0?: real[M0], {l=1..3: weight<l>?: real[M<l>, M<l-1>], bias<l>?: real[M<l>]}"
#define UPS_DEEP_SET_OPTIONS_SCHEMA "; {l=0..3: activation<l>: activation}, pool: sum|mean|max|min"
#define UPS_DEEP_SET_FORWARD_SCHEMA \
  UPS_DEEP_SET_INPUTS_SCHEMA " -> y: real[B, {l=3..0|M<l>}]" UPS_DEEP_SET_OPTIONS_SCHEMA
#define UPS_DEEP_SET_BACKWARD_SCHEMA                                               \
  UPS_DEEP_SET_INPUTS_SCHEMA                                                       \
  ", dy: real[B, {l=3..0|M<l>}] -> dx?: real[N, K], dparticle_weights?: real[N], " \
  "dweight0?: real[M0, K], dbias0?: real[M0], "                                    \
  "{l=1..3: dweight<l>?: real[M<l>, M<l-1>], dbias<l>?: real[M<l>]}" UPS_DEEP_SET_OPTIONS_SCHEMA

#define UPS_DEEP_SET_MAX_LAYERS 4

typedef struct ups_deep_set_options {
  size_t size UPS_DEFAULT(sizeof(ups_deep_set_options)); /* of this struct; 0: all defaults */
  int32_t activation[UPS_DEEP_SET_MAX_LAYERS] UPS_DEFAULT({}); /* ups_activation of each layer */
  int32_t pool UPS_DEFAULT(0); /* ups_pool */
} ups_deep_set_options;

/* weights and biases: UPS_DEEP_SET_MAX_LAYERS pointers each, NULL behind the last layer. */
UPS_API ups_status ups_deep_set_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                        const ups_tensor* particle_weights, const ups_tensor* const* weights,
                                        const ups_tensor* const* biases, ups_tensor* y,
                                        const ups_deep_set_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_deep_set_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                         const ups_tensor* particle_weights, const ups_tensor* const* weights,
                                         const ups_tensor* const* biases, const ups_tensor* dy, ups_tensor* dx,
                                         ups_tensor* dparticle_weights, const ups_tensor* const* dweights,
                                         const ups_tensor* const* dbiases,
                                         const ups_deep_set_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
