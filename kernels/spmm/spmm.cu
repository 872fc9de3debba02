// CUDA: a team of threads per row, neighbouring threads having neighbouring columns. Floor: the gathered rows of x.
#include "spmm/spmm.h"

#include "lib/graph/edge_products.cuh"
#include "spmm/spmm_call.h"

namespace upsilon {
namespace {

size_t workspace(const Spmm<float>& f) {
  Pieces pieces(nullptr);
  (void)pieces.take<float>(later_floats(f.edges, f.features));
  return pieces.bytes();
}

ups_status run(const Call& call, const Spmm<float>& f) {
  Pieces pieces(call.workspace);
  float* const later = pieces.take<float>(later_floats(f.edges, f.features));
  const Aggregation graph{f.row_offsets, f.sources, f.edge_ids, f.edge_weights, f.edges};
  Launcher launch(call);
  if (f.y) launch_aggregate(launch, graph, f.x, f.rows, f.features, later, f.y);
  if (f.dedge_weights) launch_edge_products(launch, graph, f.row_values, f.x, f.rows, f.features, f.dedge_weights);
  return launch.status();
}

size_t forward_workspace(const Call& call) { return workspace(Spmm<float>::forward(call)); }
size_t backward_workspace(const Call& call) { return workspace(Spmm<float>::backward(call)); }
ups_status forward(const Call& call) { return run(call, Spmm<float>::forward(call)); }
ups_status backward(const Call& call) { return run(call, Spmm<float>::backward(call)); }

UPS_CUDA_VARIANT(forward, "spmm_forward", forward, forward_workspace)
UPS_CUDA_VARIANT(backward, "spmm_backward", backward, backward_workspace)

}  // namespace
}  // namespace upsilon
