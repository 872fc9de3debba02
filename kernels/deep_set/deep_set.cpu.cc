// SIMD: lib/dense/pooled_layers.simd.h, for one set per event. Floor: 2 N (sum of M_l M_(l-1)) FLOP
// against the FMA peak, three to four times that for backward, which computes the layers again.
#include "deep_set/deep_set.h"
#include "deep_set/deep_set_call.h"

#define UPS_SIMD_SOURCE "deep_set/deep_set.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/pooled_layers.simd.h"
#include "lib/segments/set_pieces.simd.h"

UPS_SIMD_BEGIN

ups_status forward(const Call& call) {
  const DeepSetForward<float> f(call);
  const auto scratch = scratch_of<PoolingScratch>(call, f);
  pool_layers(*call.threads, f, scratch, {f.y, f.last_width()});
  return UPS_OK;
}

struct BackwardScratch : PooledBackwardScratch {
  float* scales;  // of the sets, for means

  BackwardScratch(const DeepSetBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : PooledBackwardScratch(f, f.dx != nullptr, f.dparticle_weights != nullptr, workers, workspace),
        scales(f.pool == UPS_POOL_MEAN ? workspace.reserve<float>(f.sets) : nullptr) {}
};

ups_status backward(const Call& call) {
  const DeepSetBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  if (scratch.scales) each_set(threads, f.sets, [&](int64_t set) { scratch.scales[set] = f.scale(set); });
  pooled_layers_backward(threads, f, f, scratch, {f.dy, f.last_width(), scratch.scales, f.dparticle_weights});
  if (f.dparticle_weights && scratch.scales)
    each_set(threads, f.sets, [&](int64_t set) {
      float mean = 0.0f;
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i)
        mean += f.particle_weights[i] * f.dparticle_weights[i];
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i)
        f.dparticle_weights[i] -= scratch.scales[set] * mean;
    });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, DeepSetForwardCall, forward, workspace_of<DeepSetForward<float>, PoolingScratch>)
UPS_CPU_VARIANT(backward, DeepSetBackwardCall, backward, workspace_of<DeepSetBackward<float>, BackwardScratch>)

UPS_SIMD_END
