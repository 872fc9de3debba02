// Checked calls of the two edge sorts, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "graph/graph.h"

namespace upsilon {

template <class T>
struct GraphFromEdges {
  int64_t edges, nodes;
  const int32_t *edge_sources, *edge_targets;
  const T* edge_weights;
  int32_t *row_offsets, *sources;
  T* weights;

  explicit GraphFromEdges(const Call& call)
      : edges(call.dims[0]), nodes(call.dims[1]), edge_sources(call.data<const int32_t>(0)),
        edge_targets(call.data<const int32_t>(1)), edge_weights(call.data<const T>(2)),
        row_offsets(call.data<int32_t>(3)), sources(call.data<int32_t>(4)), weights(call.data<T>(5)) {}
};

struct GraphTranspose {
  int64_t rows, edges, nodes;
  const int32_t *row_offsets, *sources;
  int32_t *transposed_offsets, *targets, *edge_ids;

  explicit GraphTranspose(const Call& call)
      : rows(call.dims[0]), edges(call.dims[1]), nodes(call.dims[2]), row_offsets(call.data<const int32_t>(0)),
        sources(call.data<const int32_t>(1)), transposed_offsets(call.data<int32_t>(2)), targets(call.data<int32_t>(3)),
        edge_ids(call.data<int32_t>(4)) {}
};

}  // namespace upsilon
