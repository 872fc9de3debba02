/* graph: the two reorderings of edges that graph operations need. Both are stable counting sorts,
 * so edges that share a node keep their order and everything summed over them keeps its bits.
 *
 * graph_from_edges: an edge list, source -> target, becomes rows by target: row i lists the sources
 * of node i.
 * graph_transpose: rows by target become rows by source: for each source its targets, and the
 * position that each edge has in the original rows (to find its weight). Edges outside
 * row_offsets[0] .. row_offsets[R] belong to no row and are left out; the unused ends of `targets`
 * and `edges` are 0. */
#ifndef UPSILON_OPS_GRAPH_H
#define UPSILON_OPS_GRAPH_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_GRAPH_FROM_EDGES_SCHEMA                                                    \
  "edge_sources: i32[E] below N, edge_targets: i32[E] below N, edge_weights?: real[E]" \
  " -> row_offsets: i32[N+1], sources: i32[E], weights?: real[E]"
#define UPS_GRAPH_TRANSPOSE_SCHEMA                          \
  "row_offsets: i32[R+1] splits E, sources: i32[E] below N" \
  " -> transposed_offsets: i32[N+1], targets: i32[E], edges: i32[E]"

UPS_API ups_status ups_graph_from_edges(ups_context* context, const ups_tensor* edge_sources,
                                        const ups_tensor* edge_targets, const ups_tensor* edge_weights,
                                        ups_tensor* row_offsets, ups_tensor* sources, ups_tensor* weights) UPS_NOEXCEPT;
UPS_API ups_status ups_graph_transpose(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                       ups_tensor* transposed_offsets, ups_tensor* targets,
                                       ups_tensor* edges) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
