// CUDA: lib/dense/pooled_layers.cuh, for one set per event. Floor: 2 N (sum of M_l M_(l-1)) FLOP,
// three times that for backward and once more for extremes, or x once through memory.
#include "deep_set/deep_set.h"

#include "lib/dense/pooled_layers.cuh"
#include "deep_set/deep_set_call.h"

namespace upsilon {
namespace {

struct ForwardScratch : PoolingScratch {
  float* scales;  // of the sets, for weighted means

  ForwardScratch(const DeepSetForward<float>& f, WorkspaceLayout& workspace)
      : PoolingScratch(f, workspace),
        scales(f.pool == UPS_POOL_MEAN && f.particle_weights ? workspace.reserve<float>(f.sets) : nullptr) {}
};

ups_status forward(const Call& call) {
  const DeepSetForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  Launcher launch(call);
  if (scratch.scales) find_scales(launch, &f, 1, scratch.scales);
  scratch.pool(launch, call.precision, f, {f.y, f.last_width(), scratch.scales});
  return launch.status();
}

struct BackwardScratch : PooledBackwardScratch {
  float* scales;
  int32_t* where;

  BackwardScratch(const DeepSetBackward<float>& f, WorkspaceLayout& workspace)
      : PooledBackwardScratch(f, workspace),
        scales(f.pool == UPS_POOL_MEAN ? workspace.reserve<float>(f.sets) : nullptr),
        where(is_extreme(f.pool) ? workspace.reserve<int32_t>(f.sets * f.last_width()) : nullptr) {}
};

ups_status backward(const Call& call) {
  const DeepSetBackward<float> f(call);
  WorkspaceLayout workspace(call.workspace);
  BackwardScratch scratch(f, workspace);
  Launcher launch(call);
  if (scratch.where) scratch.find_extremes(launch, call.precision, f, scratch.where);
  if (scratch.scales) find_scales(launch, &f, 1, scratch.scales);
  scratch.backward(launch, call.precision, f, f,
                   {f.dy, f.last_width(), scratch.scales, scratch.where, f.dparticle_weights});
  if (f.dparticle_weights && f.pool == UPS_POOL_MEAN)
    launch.elements(subtract_means<block_threads, 1>, f.sets,
                    WeightedLists<1>{{{f.offsets, f.particle_weights, f.dparticle_weights, f.dparticle_weights}}, 1},
                    scratch.scales, f.sets);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, DeepSetForwardCall, forward, workspace_of<DeepSetForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, DeepSetBackwardCall, backward, workspace_of<DeepSetBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
