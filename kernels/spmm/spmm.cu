// CUDA: a team of threads per row, neighbouring threads having neighbouring columns. Floor: the gathered rows of x.
#include "spmm/spmm.h"

#include "common/aggregate.cuh"
#include "spmm/spmm_call.h"

namespace upsilon {
namespace {

ups_status run(const Call& call, const Spmm<float>& f) {
  Launcher launch(call);
  launch_aggregate(launch, {f.row_offsets, f.sources, f.edge_ids, f.edge_weights}, f.x, f.rows, f.features, f.y);
  return launch.status();
}

ups_status forward(const Call& call) { return run(call, Spmm<float>::forward(call)); }
ups_status backward(const Call& call) { return run(call, Spmm<float>::backward(call)); }

UPS_CUDA_VARIANT(forward, "spmm_forward", forward)
UPS_CUDA_VARIANT(backward, "spmm_backward", backward)

}  // namespace
}  // namespace upsilon
