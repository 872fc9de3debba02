// CUDA: the stable sort of lib/segments/counting_sort.cu, by target or by source.
#include "graph/graph.h"

#include "lib/segments/counting_sort.h"
#include "graph/graph_call.h"

namespace upsilon {
namespace {

// Without weights given, every edge has weight 1.
template <int threads>
UPS_KERNEL_LB(threads)
take_edges(const int32_t* fault, GraphFromEdges<float> f, const int32_t* order) {
  if (*fault != 0) return;
  for (int64_t place = global_thread(); place < f.edges; place += global_threads()) {
    const int32_t edge = order[place];
    f.sources[place] = f.edge_sources[edge];
    if (f.weights) f.weights[place] = f.edge_weights ? f.edge_weights[edge] : 1.0f;
  }
}

struct FromEdgesScratch {
  CountingSort sort;
  FromEdgesScratch(const GraphFromEdges<float>& f, WorkspaceLayout& workspace) : sort(workspace, f.edges, f.nodes) {}
};

ups_status from_edges(const Call& call) {
  const GraphFromEdges<float> f(call);
  CountingSort sort = scratch_of<FromEdgesScratch>(call, f).sort;
  Launcher launch(call);
  sort.run(launch, f.edge_targets);
  sort.bucket_offsets(launch, f.row_offsets, f.nodes + 1);
  launch.elements(take_edges<block_threads>, f.edges, f, sort.order);
  return launch.status();
}

// Edges outside every row are sorted behind those of the last node.
template <int threads>
UPS_KERNEL_LB(threads)
choose_keys(const int32_t* fault, GraphTranspose f, int32_t* keys) {
  if (*fault != 0) return;
  for (int64_t edge = global_thread(); edge < f.edges; edge += global_threads())
    keys[edge] =
        edge >= f.row_offsets[0] && edge < f.row_offsets[f.rows] ? f.sources[edge] : static_cast<int32_t>(f.nodes);
}

template <int threads>
UPS_KERNEL_LB(threads)
find_targets(const int32_t* fault, GraphTranspose f, const int32_t* order) {
  if (*fault != 0) return;
  for (int64_t place = global_thread(); place < f.edges; place += global_threads()) {
    const bool used = place < f.transposed_offsets[f.nodes];
    const int32_t edge = used ? order[place] : 0;
    // The row of an edge: the one before the first that begins behind it.
    f.targets[place] = used ? static_cast<int32_t>(lower_bound(f.row_offsets, f.rows + 1, int64_t{edge} + 1) - 1) : 0;
    f.edge_ids[place] = edge;
  }
}

struct TransposeScratch {
  CountingSort sort;
  int32_t* keys;
  TransposeScratch(const GraphTranspose& f, WorkspaceLayout& workspace) : sort(workspace, f.edges, f.nodes + 1) {
    keys = workspace.reserve<int32_t>(f.edges);
  }
};

ups_status transpose(const Call& call) {
  const GraphTranspose f(call);
  auto scratch = scratch_of<TransposeScratch>(call, f);
  Launcher launch(call);
  launch.elements(choose_keys<block_threads>, f.edges, f, scratch.keys);
  scratch.sort.run(launch, scratch.keys);
  scratch.sort.bucket_offsets(launch, f.transposed_offsets, f.nodes + 1);
  launch.elements(find_targets<block_threads>, f.edges, f, scratch.sort.order);
  return launch.status();
}

// Edges and nodes are numbered in 32 bits.
template <class Named>
bool supports(const Call& checked) {
  const Named call(checked);
  return call.dim("E") <= INT32_MAX && call.dim("N") < INT32_MAX;
}

UPS_CUDA_VARIANT(from_edges, GraphFromEdgesCall, from_edges, workspace_of<GraphFromEdges<float>, FromEdgesScratch>,
                 supports<GraphFromEdgesCall>)
UPS_CUDA_VARIANT(transpose, GraphTransposeCall, transpose, workspace_of<GraphTranspose, TransposeScratch>,
                 supports<GraphTransposeCall>)

}  // namespace
}  // namespace upsilon
