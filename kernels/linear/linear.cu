// CUDA: the products of lib/dense/dense.cu.
#include "linear/linear.h"

#include "lib/dense/dense.h"
#include "linear/linear_call.h"

namespace upsilon {
namespace {

ups_status forward(const Call& call) {
  const LinearForward<float> f(call);
  Launcher launch(call);
  product_with_weight(launch, call.precision, f.x, f.weight, f.bias, f.y, f.rows, f.inputs, f.outputs, f.activation);
  return launch.status();
}

struct BackwardScratch : DenseScratch {
  BackwardScratch(const LinearBackward<float>& f, WorkspaceLayout& workspace)
      : DenseScratch(workspace, f.rows, f.inputs, f.outputs, f.activation) {}
};

ups_status backward(const Call& call) {
  const LinearBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  dense_backward(
      launch, call.precision,
      {f.rows, f.inputs, f.outputs, f.x, f.weight, f.bias, f.y, f.dy, f.dx, f.dweight, f.dbias, f.activation}, scratch);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, LinearForwardCall, forward)
UPS_CUDA_VARIANT(backward, LinearBackwardCall, backward, workspace_of<LinearBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
