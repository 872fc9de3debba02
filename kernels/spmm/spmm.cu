// CUDA: a team of threads per row, neighbouring threads having neighbouring columns. Floor: the gathered rows of x.
#include "spmm/spmm.h"

#include "common/aggregate.cuh"
#include "spmm/spmm_call.h"

namespace upsilon {
namespace {

ups_status forward(const Call& call) {
  const SpmmForward<float> f(call);
  Launcher launch(call);
  launch_aggregate(launch, {f.row_offsets, f.sources, nullptr, f.edge_weights}, f.x, f.rows, f.columns, f.y);
  return launch.status();
}

ups_status backward(const Call& call) {
  const SpmmBackward<float> f(call);
  Launcher launch(call);
  launch_aggregate(launch, {f.transposed_offsets, f.targets, f.edges, f.edge_weights}, f.dy, f.nodes, f.columns, f.dx);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "spmm_forward", forward)
UPS_CUDA_VARIANT(backward, "spmm_backward", backward)

}  // namespace
}  // namespace upsilon
