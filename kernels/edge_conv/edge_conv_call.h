// A checked call of edge_conv, as plain numbers and pointers.
#pragma once
#include "lib/dense/layers.h"
#include "edge_conv/edge_conv.h"

namespace upsilon {

static_assert(UPS_EDGE_CONV_MAX_LAYERS == max_layers);

inline constexpr OperationLine edge_conv_forward_line{"edge_conv_forward", UPS_EDGE_CONV_FORWARD_SCHEMA};
using EdgeConvForwardCall = CallOf<edge_conv_forward_line, ups_edge_conv_options>;
inline constexpr OperationLine edge_conv_backward_line{"edge_conv_backward", UPS_EDGE_CONV_BACKWARD_SCHEMA};
using EdgeConvBackwardCall = CallOf<edge_conv_backward_line, ups_edge_conv_options>;

inline constexpr int32_t max_edge_layers = UPS_EDGE_CONV_MAX_LAYERS;

// What forward and backward have in common. Layer l turns inputs(l) features of an edge into
// outputs(l).
template <class T>
struct EdgeLayers {
  int64_t nodes, edges, features;
  int64_t widths[max_edge_layers], result_width = 0;  // outputs of each layer, and of the last
  int32_t layers = 0;
  const int32_t *row_offsets, *sources;
  const T *x, *weight[max_edge_layers], *bias[max_edge_layers];
  int32_t activation[max_edge_layers];
  bool max;

  template <NamedCall Named>
  explicit EdgeLayers(const Named& call)
      : nodes(call.dim("N")), edges(call.dim("E")), features(call.dim("F")), row_offsets(call["row_offsets"]),
        sources(call["sources"]), x(call["x"]), max(call.options().reduce == UPS_EDGE_MAX) {
    const ArgumentList weights = call.list("weight#"), biases = call.list("bias#");
    const DimensionList outputs_of = call.dims("M#");
    for (int32_t l = 0; l < max_edge_layers; ++l) {
      widths[l] = outputs_of[l];
      weight[l] = weights[l];
      bias[l] = biases[l];
      activation[l] = call.options().activation[l];
      if (!weights.given(l)) continue;
      layers = l + 1;
      result_width = widths[l];
    }
  }
  int64_t inputs(int32_t l) const { return l == 0 ? 2 * features : widths[l - 1]; }
  int64_t outputs(int32_t l) const { return widths[l]; }
  int64_t results() const { return result_width; }
  int64_t widest_layer() const {
    int64_t widest = 0;
    for (int32_t l = 0; l < layers; ++l) widest = outputs(l) > widest ? outputs(l) : widest;
    return widest;
  }
};

template <class T>
struct EdgeConvForward : EdgeLayers<T> {
  T* y;

  explicit EdgeConvForward(const EdgeConvForwardCall& call) : EdgeLayers<T>(call), y(call["y"]) {}
};

template <class T>
struct EdgeConvBackward : EdgeLayers<T> {
  const int32_t *transposed_offsets, *targets, *edge_ids;
  const T* dy;
  T *dx, *dweight[max_edge_layers], *dbias[max_edge_layers];

  explicit EdgeConvBackward(const EdgeConvBackwardCall& call)
      : EdgeLayers<T>(call), transposed_offsets(call["transposed_offsets"]), targets(call["targets"]),
        edge_ids(call["edges"]), dy(call["dy"]), dx(call["dx"]) {
    const ArgumentList dweights = call.list("dweight#"), dbiases = call.list("dbias#");
    for (int32_t l = 0; l < max_edge_layers; ++l) {
      dweight[l] = dweights[l];
      dbias[l] = dbiases[l];
    }
  }
};

}  // namespace upsilon
