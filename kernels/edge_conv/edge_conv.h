/* edge_conv: the convolution of dynamic graph networks, arXiv:1801.07829, as ParticleNet uses it
 * (arXiv:1902.08570).
 *
 *   y_i = mean or max over the edges j -> i of h(x_i, x_j)
 *   h(x_i, x_j) = the layers applied to [x_i, x_j - x_i]
 * A layer is act(W z + b), the first of width 2 F, up to four of them, given from 0 on without
 * gaps. Rows of the graph list the sources of a node; a node without edges gets 0. PyTorch
 * Geometric's EdgeConv with aggr = reduce. max: ties to the first edge of the row, which alone gets
 * the gradient; a NaN makes the maximum NaN. Infinities in x may become NaN, as differences are not
 * formed: W [x_i, x_j - x_i] = (W_1 - W_2) x_i + W_2 x_j. Backward needs the transposed graph
 * (graph_transpose) and computes the hidden values again. Sums run in the order of the edges: the
 * same bits for any number of threads. */
#ifndef UPSILON_OPS_EDGE_CONV_H
#define UPSILON_OPS_EDGE_CONV_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_EDGE_CONV_LAYERS_SCHEMA                           \
  "x: real[N, F], weight0: real[M0, F+F], bias0?: real[M0], " \
  "{l=1..3: weight<l>?: real[M<l>, M<l-1>], bias<l>?: real[M<l>]}"
#define UPS_EDGE_CONV_OPTIONS_SCHEMA "; {l=0..3: activation<l>: activation}, reduce: mean|max"
#define UPS_EDGE_CONV_FORWARD_SCHEMA                                                      \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, " UPS_EDGE_CONV_LAYERS_SCHEMA \
  " -> y: real[N, {l=3..0|M<l>}]" UPS_EDGE_CONV_OPTIONS_SCHEMA
#define UPS_EDGE_CONV_BACKWARD_SCHEMA                                                                \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, transposed_offsets: i32[N+1] splits E, " \
  "targets: i32[E] below N, edges: i32[E] below E, " UPS_EDGE_CONV_LAYERS_SCHEMA                     \
  ", dy: real[N, {l=3..0|M<l>}] -> dx?: real[N, F], dweight0?: real[M0, F+F], dbias0?: real[M0], "   \
  "{l=1..3: dweight<l>?: real[M<l>, M<l-1>], dbias<l>?: real[M<l>]}" UPS_EDGE_CONV_OPTIONS_SCHEMA

#define UPS_EDGE_CONV_MAX_LAYERS 4

typedef enum ups_edge_reduction { UPS_EDGE_MEAN, UPS_EDGE_MAX } ups_edge_reduction;

typedef struct ups_edge_conv_options {
  size_t size UPS_DEFAULT(sizeof(ups_edge_conv_options)); /* of this struct; 0: all defaults */
  int32_t activation[UPS_EDGE_CONV_MAX_LAYERS] UPS_DEFAULT({}); /* ups_activation of each layer */
  int32_t reduce UPS_DEFAULT(0); /* ups_edge_reduction */
} ups_edge_conv_options;

/* weights and biases: UPS_EDGE_CONV_MAX_LAYERS pointers each, NULL behind the last layer. */
UPS_API ups_status ups_edge_conv_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                         const ups_tensor* x, const ups_tensor* const* weights,
                                         const ups_tensor* const* biases, ups_tensor* y,
                                         const ups_edge_conv_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_edge_conv_backward(ups_context* context, const ups_tensor* row_offsets,
                                          const ups_tensor* sources, const ups_tensor* transposed_offsets,
                                          const ups_tensor* targets, const ups_tensor* edges, const ups_tensor* x,
                                          const ups_tensor* const* weights, const ups_tensor* const* biases,
                                          const ups_tensor* dy, ups_tensor* dx, const ups_tensor* const* dweights,
                                          const ups_tensor* const* dbiases,
                                          const ups_edge_conv_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
