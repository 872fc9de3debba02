#include "graph/graph.h"

#include "core/validity.h"
#include "graph/edge_sort.h"

namespace upsilon {
namespace {

void validate(const GraphFromEdgesCall&, RefusalOf<GraphFromEdgesCall>& refuse) {
  refuse.given_without("weights", "edge_weights");
}

const OperationOf<GraphFromEdgesCall> from_edges{{sort_edges<float>}, {sort_edges<double>}, validated_by<validate>};
const OperationOf<GraphTransposeCall> transpose{{transpose_edges}, {transpose_edges}};

}  // namespace
}  // namespace upsilon

ups_status ups_graph_from_edges(ups_context* context, const ups_tensor* edge_sources, const ups_tensor* edge_targets,
                                const ups_tensor* edge_weights, ups_tensor* row_offsets, ups_tensor* sources,
                                ups_tensor* weights) noexcept {
  return upsilon::call(context, upsilon::from_edges,
                       {edge_sources, edge_targets, edge_weights, row_offsets, sources, weights}, nullptr);
}

ups_status ups_graph_transpose(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                               ups_tensor* transposed_offsets, ups_tensor* targets, ups_tensor* edges) noexcept {
  return upsilon::call(context, upsilon::transpose, {row_offsets, sources, transposed_offsets, targets, edges},
                       nullptr);
}
