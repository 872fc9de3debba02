// A checked call of graph_conv, as plain numbers and pointers, and the factors of Â that both directions share.
#pragma once
#include <cmath>

#include "core/operation.h"
#include "graph_conv/graph_conv.h"

namespace upsilon {

template <class T>
struct GraphConvForward {
  int64_t nodes, edges, inputs, outputs;
  const int32_t *row_offsets, *sources;
  const T *edge_weights, *x, *weight, *bias;
  T* y;
  ups_graph_conv_options options;

  explicit GraphConvForward(const Call& call)
      : nodes(call.dims[0]), edges(call.dims[1]), inputs(call.dims[2]), outputs(call.dims[3]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)),
        edge_weights(call.data<const T>(2)), x(call.data<const T>(3)), weight(call.data<const T>(4)),
        bias(call.data<const T>(5)), y(call.data<T>(6)), options(call.option<ups_graph_conv_options>()) {}
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

  explicit GraphConvBackward(const Call& call)
      : nodes(call.dims[0]), edges(call.dims[1]), inputs(call.dims[2]), outputs(call.dims[3]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)),
        edge_weights(call.data<const T>(2)), transposed_offsets(call.data<const int32_t>(3)),
        targets(call.data<const int32_t>(4)), edge_ids(call.data<const int32_t>(5)), x(call.data<const T>(6)),
        weight(call.data<const T>(7)), bias(call.data<const T>(8)), y(call.data<const T>(9)),
        dy(call.data<const T>(10)), dx(call.data<T>(11)), dweight(call.data<T>(12)), dbias(call.data<T>(13)),
        dedge_weights(call.data<T>(14)), options(call.option<ups_graph_conv_options>()) {}
};

// Â[i, j] = target[i] * w[i, j] * source[j], with the loop's weight in loop[i] when self_loops is set.
// symmetric: source = target = d^-1/2; row: target = d^-1, source = 1; none: both 1.
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
