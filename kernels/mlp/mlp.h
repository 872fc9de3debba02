/* mlp: up to four dense layers in one call; activations between them stay in cache.
 *
 * h0 = x; h(i+1) = act_i(h(i) W_i^T + b_i); y = the last h. Layers are given from 0 on without
 * gaps, and each W_i is [M_i, M_(i-1)] (PyTorch's layout). A longer network is several calls.
 * Backward recomputes the hidden activations instead of storing them. */
#ifndef UPSILON_OPS_MLP_H
#define UPSILON_OPS_MLP_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_MLP_LAYERS_SCHEMA                                 \
  "x: real[..., K], weight0: real[M0, K], bias0?: real[M0], " \
  "{l=1..3: weight<l>?: real[M<l>, M<l-1>], bias<l>?: real[M<l>]}"
#define UPS_MLP_OPTIONS_SCHEMA "; {l=0..3: activation<l>: activation}"
#define UPS_MLP_FORWARD_SCHEMA UPS_MLP_LAYERS_SCHEMA " -> y: real[..., {l=3..0|M<l>}]" UPS_MLP_OPTIONS_SCHEMA
#define UPS_MLP_BACKWARD_SCHEMA                                                                      \
  UPS_MLP_LAYERS_SCHEMA                                                                              \
  ", dy: real[..., {l=3..0|M<l>}] -> dx?: real[..., K], dweight0?: real[M0, K], dbias0?: real[M0], " \
  "{l=1..3: dweight<l>?: real[M<l>, M<l-1>], dbias<l>?: real[M<l>]}" UPS_MLP_OPTIONS_SCHEMA

#define UPS_MLP_MAX_LAYERS 4

typedef struct ups_mlp_options {
  size_t size UPS_DEFAULT(sizeof(ups_mlp_options)); /* of this struct; 0: all defaults */
  int32_t activation[UPS_MLP_MAX_LAYERS] UPS_DEFAULT({}); /* ups_activation of each layer */
} ups_mlp_options;

/* weights and biases: UPS_MLP_MAX_LAYERS pointers each, NULL behind the last layer. */
UPS_API ups_status ups_mlp_forward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                                   const ups_tensor* const* biases, ups_tensor* y,
                                   const ups_mlp_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_mlp_backward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                                    const ups_tensor* const* biases, const ups_tensor* dy, ups_tensor* dx,
                                    const ups_tensor* const* dweights, const ups_tensor* const* dbiases,
                                    const ups_mlp_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
