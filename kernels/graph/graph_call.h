// Checked calls of the two edge sorts, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "graph/graph.h"

namespace upsilon {

inline constexpr OperationLine graph_from_edges_line{"graph_from_edges", UPS_GRAPH_FROM_EDGES_SCHEMA};
using GraphFromEdgesCall = CallOf<graph_from_edges_line>;
inline constexpr OperationLine graph_transpose_line{"graph_transpose", UPS_GRAPH_TRANSPOSE_SCHEMA};
using GraphTransposeCall = CallOf<graph_transpose_line>;

template <class T>
struct GraphFromEdges {
  int64_t edges, nodes;
  const int32_t *edge_sources, *edge_targets;
  const T* edge_weights;
  int32_t *row_offsets, *sources;
  T* weights;

  explicit GraphFromEdges(const GraphFromEdgesCall& call)
      : edges(call.dim("E")), nodes(call.dim("N")), edge_sources(call["edge_sources"]),
        edge_targets(call["edge_targets"]), edge_weights(call["edge_weights"]), row_offsets(call["row_offsets"]),
        sources(call["sources"]), weights(call["weights"]) {}
};

struct GraphTranspose {
  int64_t rows, edges, nodes;
  const int32_t *row_offsets, *sources;
  int32_t *transposed_offsets, *targets, *edge_ids;

  explicit GraphTranspose(const GraphTransposeCall& call)
      : rows(call.dim("R")), edges(call.dim("E")), nodes(call.dim("N")), row_offsets(call["row_offsets"]),
        sources(call["sources"]), transposed_offsets(call["transposed_offsets"]), targets(call["targets"]),
        edge_ids(call["edges"]) {}
};

}  // namespace upsilon
