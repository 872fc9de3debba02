// A checked call of graph_conv, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "graph_conv/graph_conv.h"

namespace upsilon {

template <class T>
struct GraphConvForward {
  int64_t nodes, edge_count, inputs, outputs;
  const int32_t *row_offsets, *sources;
  const T *edge_weights, *x, *weight, *bias;
  T* y;
  ups_graph_conv_options options;

  explicit GraphConvForward(const Call& call)
      : nodes(call.dims[0]), edge_count(call.dims[1]), inputs(call.dims[2]), outputs(call.dims[3]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)),
        edge_weights(call.data<const T>(2)), x(call.data<const T>(3)), weight(call.data<const T>(4)),
        bias(call.data<const T>(5)), y(call.data<T>(6)), options(call.option<ups_graph_conv_options>()) {}
};

template <class T>
struct GraphConvBackward {
  int64_t nodes, edge_count, inputs, outputs;
  const int32_t *row_offsets, *sources;
  const T* edge_weights;
  const int32_t *transposed_offsets, *targets, *edges;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  ups_graph_conv_options options;

  explicit GraphConvBackward(const Call& call)
      : nodes(call.dims[0]), edge_count(call.dims[1]), inputs(call.dims[2]), outputs(call.dims[3]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)),
        edge_weights(call.data<const T>(2)), transposed_offsets(call.data<const int32_t>(3)),
        targets(call.data<const int32_t>(4)), edges(call.data<const int32_t>(5)), x(call.data<const T>(6)),
        weight(call.data<const T>(7)), bias(call.data<const T>(8)), y(call.data<const T>(9)),
        dy(call.data<const T>(10)), dx(call.data<T>(11)), dweight(call.data<T>(12)), dbias(call.data<T>(13)),
        options(call.option<ups_graph_conv_options>()) {}
};

}  // namespace upsilon
