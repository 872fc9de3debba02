/* graph_conv: graph convolution of Kipf and Welling, arXiv:1609.02907; equal to PyTorch Geometric's
 * GCNConv.
 *
 *   y = act(Â x W^T + b)
 * A holds the edge weights (1 when none are given): A[i, j] = w for an edge j -> i; rows list the
 * sources of a node. self_loops (PyG's add_remaining_self_loops): a node's own loop keeps its
 * weight, of several the last counts, and a missing one is added with weight 1. Without self_loops
 * the edges are taken as they are. Degree d_i = sum of row i, loop included. normalization:
 *   symmetric  Â = D^-1/2 A D^-1/2     row  Â = D^-1 A     none  Â = A
 * d = 0 gives the factor 0; under symmetric a negative d gives NaN, as in PyG. The bias comes after
 * the aggregation. Backward needs the transposed graph (graph_transpose). With g = dL/dz and the
 * edge e: j -> i, whose coefficient in Â is c_e = t_i w_e s_j,
 *   q_e = dL/dc_e = <g_i, W x_j>,     dL/dw_e = t_i s_j q_e + dL/dd_i,
 * since w_e also counts in d_i. In and out are the edges that end and begin at i, the loop
 * belonging to both:
 *   symmetric  t = s = d^-1/2, dt/dd = -t^3/2:
 *              dL/dd_i = -t_i^2/2 (sum over in of c q + sum over out of c q)
 *   row        t = d^-1, s = 1, dt/dd = -t^2:    dL/dd_i = -t_i (sum over in of c q)
 *   none       dL/dd_i = 0
 * Of several loops the last gets the gradient, the others 0, as do edges in no row; a loop that was
 * added counts in the sums. d = 0 gives the factor 0 and no gradient through the degree. (PyG's
 * autograd gives every loop the last one's gradient, and NaN where a node with d = 0 has edges.)
 * dedge_weights without edge_weights is the gradient at 1. Sums run in the order of the edges, the
 * self-loop last: the same bits for any number of threads. CUDA sums rows of more than 256 edges by
 * pieces of 256, each in order. */
#ifndef UPSILON_OPS_GRAPH_CONV_H
#define UPSILON_OPS_GRAPH_CONV_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_GRAPH_CONV_OPTIONS_SCHEMA \
  "; normalization: symmetric|row|none, self_loops: bool = true, activation: activation"
#define UPS_GRAPH_CONV_FORWARD_SCHEMA                                                                  \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, edge_weights?: real[E], x: real[N, Fin], " \
  "weight: real[Fout, Fin], bias?: real[Fout] -> y: real[N, Fout]" UPS_GRAPH_CONV_OPTIONS_SCHEMA
#define UPS_GRAPH_CONV_BACKWARD_SCHEMA                                                               \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, edge_weights?: real[E], "                \
  "transposed_offsets: i32[N+1] splits E, targets: i32[E] below N, edges: i32[E] below E, "          \
  "x: real[N, Fin], weight: real[Fout, Fin], bias?: real[Fout], y: real[N, Fout], dy: real[N, Fout]" \
  " -> dx?: real[N, Fin], dweight?: real[Fout, Fin], dbias?: real[Fout], dedge_weights?: "           \
  "real[E]" UPS_GRAPH_CONV_OPTIONS_SCHEMA

typedef enum ups_graph_normalization {
  UPS_NORMALIZATION_SYMMETRIC,
  UPS_NORMALIZATION_ROW,
  UPS_NORMALIZATION_NONE
} ups_graph_normalization;

typedef struct ups_graph_conv_options {
  size_t size UPS_DEFAULT(sizeof(ups_graph_conv_options)); /* of this struct; 0: all defaults */
  int32_t normalization UPS_DEFAULT(0); /* ups_graph_normalization */
  int32_t self_loops UPS_DEFAULT(1); /* 0 or 1 */
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_graph_conv_options;

UPS_API ups_status ups_graph_conv_forward(ups_context* context, const ups_tensor* row_offsets,
                                          const ups_tensor* sources, const ups_tensor* edge_weights,
                                          const ups_tensor* x, const ups_tensor* weight, const ups_tensor* bias,
                                          ups_tensor* y, const ups_graph_conv_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_graph_conv_backward(ups_context* context, const ups_tensor* row_offsets,
                                           const ups_tensor* sources, const ups_tensor* edge_weights,
                                           const ups_tensor* transposed_offsets, const ups_tensor* targets,
                                           const ups_tensor* edges, const ups_tensor* x, const ups_tensor* weight,
                                           const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy,
                                           ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                           ups_tensor* dedge_weights,
                                           const ups_graph_conv_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
