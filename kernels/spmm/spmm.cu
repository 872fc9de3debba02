// CUDA: a team of threads per row, neighbouring threads having neighbouring columns. Floor: the
// gathered rows of x.
#include "spmm/spmm.h"

#include "lib/graph/edge_products.cuh"
#include "spmm/spmm_call.h"

namespace upsilon {
namespace {

struct Scratch {
  float* later;
  Scratch(const Spmm<float>& f, WorkspaceLayout& workspace)
      : later(workspace.reserve<float>(later_floats(f.edges, f.features))) {}
};

template <class F>
ups_status run(const Call& call) {
  const F f(call);
  float* const later = scratch_of<Scratch>(call, f).later;
  const Aggregation graph{f.row_offsets, f.sources, f.edge_ids, f.edge_weights, f.edges};
  Launcher launch(call);
  if (f.y) launch_aggregate(launch, graph, f.x, f.rows, f.features, later, f.y);
  if (f.dedge_weights) launch_edge_products(launch, graph, f.row_values, f.x, f.rows, f.features, f.dedge_weights);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, SpmmForwardCall, run<SpmmForward<float>>, workspace_of<SpmmForward<float>, Scratch>)
UPS_CUDA_VARIANT(backward, SpmmBackwardCall, run<SpmmBackward<float>>, workspace_of<SpmmBackward<float>, Scratch>)

}  // namespace
}  // namespace upsilon
