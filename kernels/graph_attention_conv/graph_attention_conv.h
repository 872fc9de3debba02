/* graph_attention_conv: graph attention of Velickovic et al., arXiv:1710.10903 (GAT, version 1);
 * equal to PyTorch Geometric's GATConv and to DGL's.
 *
 *   h = x W^T as H heads of F features; for an edge j -> i and a head:
 *   score_ij = leakyRelu(<attention_source, h_j> + <attention_target, h_i>)
 *              with the slope negative_slope below 0
 *   alpha_ij = exp(score_ij) / sum over the edges into i (the largest score is subtracted first)
 *   z_i = sum over edges alpha_ij h_j;   y_i = act(z_i of all heads, one after the other, + bias)
 * Without concat the heads are averaged instead, and y and bias have F features.
 * self_loops: edges from a node to itself are left out and one is added to every node, last.
 * Otherwise edges are taken as they are, a repeated one counts again, and a node without any gets
 * act(bias). There are no edge weights. The derivative of leakyRelu at 0 is negative_slope, as
 * PyTorch's. What a node's target part gets back, the sum of its dscore_ij, is computed as (1 -
 * negative_slope) (P+ M- - P- M+) / M^2 with the sums M of exp and P of exp <dz_i, h_j> over the
 * edges of positive (+) and other (-) scores: the same, but nothing cancels when all scores have
 * one sign. NaN in a node reaches the nodes that it has edges to. Backward needs the transposed
 * graph (graph_transpose) and computes h and the attention again: nothing of the size of the edges
 * is ever stored. Sums run in the order of the edges: the same bits for any number of threads. */
#ifndef UPSILON_OPS_GRAPH_ATTENTION_CONV_H
#define UPSILON_OPS_GRAPH_ATTENTION_CONV_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_GRAPH_ATTENTION_CONV_OPTIONS_SCHEMA \
  "; negative_slope: f32 = 0.2, concat: bool = true, self_loops: bool = true, activation: activation"
#define UPS_GRAPH_ATTENTION_CONV_FORWARD_SCHEMA                                                        \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, x: real[N, Fin], weight: real[H*F, Fin], " \
  "attention_source: real[H, F], attention_target: real[H, F], bias?: real[H^concat*F] -> y: real[N, " \
  "H^concat*F]" UPS_GRAPH_ATTENTION_CONV_OPTIONS_SCHEMA
#define UPS_GRAPH_ATTENTION_CONV_BACKWARD_SCHEMA                                                            \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, transposed_offsets: i32[N+1] splits E, "        \
  "targets: i32[E] below N, x: real[N, Fin], weight: real[H*F, Fin], attention_source: real[H, F], "        \
  "attention_target: real[H, F], bias?: real[H^concat*F], y: real[N, H^concat*F], dy: real[N, H^concat*F] " \
  "-> dx?: real[N, Fin], dweight?: real[H*F, Fin], dattention_source?: real[H, F], "                        \
  "dattention_target?: real[H, F], dbias?: real[H^concat*F]" UPS_GRAPH_ATTENTION_CONV_OPTIONS_SCHEMA

typedef struct ups_graph_attention_conv_options {
  size_t size UPS_DEFAULT(sizeof(ups_graph_attention_conv_options)); /* of this struct; 0: all defaults */
  float negative_slope UPS_DEFAULT(0.2f);
  int32_t concat UPS_DEFAULT(1); /* 0 or 1 */
  int32_t self_loops UPS_DEFAULT(1); /* 0 or 1 */
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_graph_attention_conv_options;

UPS_API ups_status ups_graph_attention_conv_forward(ups_context* context, const ups_tensor* row_offsets,
                                                    const ups_tensor* sources, const ups_tensor* x,
                                                    const ups_tensor* weight, const ups_tensor* attention_source,
                                                    const ups_tensor* attention_target, const ups_tensor* bias,
                                                    ups_tensor* y,
                                                    const ups_graph_attention_conv_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_graph_attention_conv_backward(
    ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
    const ups_tensor* transposed_offsets, const ups_tensor* targets, const ups_tensor* x, const ups_tensor* weight,
    const ups_tensor* attention_source, const ups_tensor* attention_target, const ups_tensor* bias, const ups_tensor* y,
    const ups_tensor* dy, ups_tensor* dx, ups_tensor* dweight, ups_tensor* dattention_source,
    ups_tensor* dattention_target, ups_tensor* dbias, const ups_graph_attention_conv_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
