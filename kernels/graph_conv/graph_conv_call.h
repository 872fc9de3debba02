// A checked call of graph_conv, as plain numbers and pointers, and the factors of Â that both
// directions share.
#pragma once
#include <cmath>

#include "core/named_call.h"
#include "graph_conv/graph_conv.h"

namespace upsilon {

inline constexpr OperationLine graph_conv_forward_line{"graph_conv_forward", UPS_GRAPH_CONV_FORWARD_SCHEMA};
using GraphConvForwardCall = CallOf<graph_conv_forward_line, ups_graph_conv_options>;
inline constexpr OperationLine graph_conv_backward_line{"graph_conv_backward", UPS_GRAPH_CONV_BACKWARD_SCHEMA};
using GraphConvBackwardCall = CallOf<graph_conv_backward_line, ups_graph_conv_options>;

template <class T>
struct GraphConvForward {
  int64_t nodes, edges, inputs, outputs;
  const int32_t *row_offsets, *sources;
  const T *edge_weights, *x, *weight, *bias;
  T* y;
  ups_graph_conv_options options;

  explicit GraphConvForward(const GraphConvForwardCall& call)
      : nodes(call.dim("N")), edges(call.dim("E")), inputs(call.dim("Fin")), outputs(call.dim("Fout")),
        row_offsets(call["row_offsets"]), sources(call["sources"]), edge_weights(call["edge_weights"]), x(call["x"]),
        weight(call["weight"]), bias(call["bias"]), y(call["y"]), options(call.options()) {}
};

template <class T>
struct GraphConvBackward {
  int64_t nodes, edges, inputs, outputs;
  const int32_t *row_offsets, *sources;
  const T* edge_weights;
  const int32_t *transposed_offsets, *targets, *edge_ids;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias, *dedge_weights;
  ups_graph_conv_options options;

  explicit GraphConvBackward(const GraphConvBackwardCall& call)
      : nodes(call.dim("N")), edges(call.dim("E")), inputs(call.dim("Fin")), outputs(call.dim("Fout")),
        row_offsets(call["row_offsets"]), sources(call["sources"]), edge_weights(call["edge_weights"]),
        transposed_offsets(call["transposed_offsets"]), targets(call["targets"]), edge_ids(call["edges"]), x(call["x"]),
        weight(call["weight"]), bias(call["bias"]), y(call["y"]), dy(call["dy"]), dx(call["dx"]),
        dweight(call["dweight"]), dbias(call["dbias"]), dedge_weights(call["dedge_weights"]), options(call.options()) {}
};

// Â[i, j] = target[i] * w[i, j] * source[j], with the loop's weight in loop[i] when self_loops is
// set. symmetric: source = target = d^-1/2; row: target = d^-1, source = 1; none: both 1.
template <class T>
struct NodeFactors {
  T *source, *target, *loop;  // per node
};

template <class T>
void node_factors(int64_t node, const int32_t* row_offsets, const int32_t* sources, const T* edge_weights,
                  const ups_graph_conv_options& options, const NodeFactors<T>& factors) {
  T degree = 0, loop = 1;
  for (int32_t e = row_offsets[node]; e < row_offsets[node + 1]; ++e) {
    const T weight = edge_weights ? edge_weights[e] : T(1);
    if (options.self_loops && sources[e] == node) loop = weight;  // of several the last counts
    else degree += weight;
  }
  if (options.self_loops) degree += loop;
  factors.loop[node] = loop;
  T source = 1, target = 1;
  if (options.normalization == UPS_NORMALIZATION_SYMMETRIC)
    source = target = degree == 0 ? T(0) : T(1) / std::sqrt(degree);  // a negative degree gives NaN, as in PyG
  else if (options.normalization == UPS_NORMALIZATION_ROW) target = degree == 0 ? T(0) : T(1) / degree;
  factors.source[node] = source;
  factors.target[node] = target;
}

// dL/dd_i from the sums of c q over the edges that end and begin at the node.
template <class T>
T degree_gradient(int64_t node, const ups_graph_conv_options& options, const NodeFactors<T>& factors, T in, T out) {
  const T t = factors.target[node];
  if (options.normalization == UPS_NORMALIZATION_SYMMETRIC) return T(-0.5) * t * t * (in + out);
  return options.normalization == UPS_NORMALIZATION_ROW ? -t * in : T(0);
}

// Makes dL/dw of the edges of one row out of their q, in place.
template <class T>
void finish_edge_gradients(int64_t node, const int32_t* row_offsets, const int32_t* sources,
                           const ups_graph_conv_options& options, const NodeFactors<T>& factors, T of_degree, T* q) {
  int32_t last_loop = -1;
  for (int32_t e = row_offsets[node]; e < row_offsets[node + 1]; ++e) {
    const int64_t source = sources[e];
    const bool loop = options.self_loops && source == node;
    const T gradient = factors.target[node] * factors.source[source] * q[e] + of_degree;
    if (loop && last_loop >= 0) q[last_loop] = 0;  // of several the last counts
    if (loop) last_loop = e;
    q[e] = gradient;
  }
}

}  // namespace upsilon
