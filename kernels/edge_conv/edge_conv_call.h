// A checked call of edge_conv, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "edge_conv/edge_conv.h"

namespace upsilon {

inline constexpr int32_t most_edge_layers = UPS_EDGE_CONV_MAX_LAYERS;

// What forward and backward have in common. Layer l turns inputs(l) features of an edge into outputs(l).
template <class T>
struct EdgeLayers {
  int64_t nodes, edges, features;
  int64_t widths[most_edge_layers], result_width = 0;  // outputs of each layer, and of the last
  int32_t layers = 0;
  const int32_t *row_offsets, *sources;
  const T *x, *weight[most_edge_layers], *bias[most_edge_layers];
  int32_t activation[most_edge_layers];
  bool max;

  EdgeLayers(const Call& call, int first)
      : nodes(call.dims[0]), edges(call.dims[1]), features(call.dims[2]), row_offsets(call.data<const int32_t>(0)),
        sources(call.data<const int32_t>(1)), x(call.data<const T>(first)),
        max(call.option<ups_edge_conv_options>().reduce == UPS_EDGE_MAX) {
    for (int32_t l = 0; l < most_edge_layers; ++l) {
      widths[l] = call.dims[3 + l];
      weight[l] = call.data<const T>(first + 1 + 2 * l);
      bias[l] = call.data<const T>(first + 2 + 2 * l);
      activation[l] = call.option<ups_edge_conv_options>().activation[l];
      if (!call.given(first + 1 + 2 * l)) continue;
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

  explicit EdgeConvForward(const Call& call) : EdgeLayers<T>(call, 2), y(call.data<T>(11)) {}
};

template <class T>
struct EdgeConvBackward : EdgeLayers<T> {
  const int32_t *transposed_offsets, *targets, *edge_ids;
  const T* dy;
  T *dx, *dweight[most_edge_layers], *dbias[most_edge_layers];

  explicit EdgeConvBackward(const Call& call)
      : EdgeLayers<T>(call, 5), transposed_offsets(call.data<const int32_t>(2)), targets(call.data<const int32_t>(3)),
        edge_ids(call.data<const int32_t>(4)), dy(call.data<const T>(14)), dx(call.data<T>(15)) {
    for (int32_t l = 0; l < most_edge_layers; ++l) {
      dweight[l] = call.data<T>(16 + 2 * l);
      dbias[l] = call.data<T>(17 + 2 * l);
    }
  }
};

// Layers without gaps, and nothing else about a layer that has no weight.
inline bool edge_layers_support(const Call& call, int first) {
  for (int32_t l = 0; l < most_edge_layers; ++l) {
    const bool given = call.given(first + 1 + 2 * l);
    if (l > 0 && given && !call.given(first - 1 + 2 * l)) return false;
    if (!given && call.given(first + 2 + 2 * l)) return false;
  }
  return true;
}
inline bool edge_conv_supports(const Call& call) { return edge_layers_support(call, 2); }
inline bool edge_conv_backward_supports(const Call& call) {
  for (int32_t l = 0; l < most_edge_layers; ++l)
    if (!call.given(6 + 2 * l) && (call.given(16 + 2 * l) || call.given(17 + 2 * l))) return false;
  return edge_layers_support(call, 5);
}

}  // namespace upsilon
