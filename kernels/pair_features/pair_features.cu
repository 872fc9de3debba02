// CUDA: each particle's rapidity and azimuth once, then a thread for each pair; backward a warp for
// each particle, whose lanes share its pairs, and whose sums are added up in a tree. Floor: memory,
// 16 bytes for each pair, 32 backward.
#include "pair_features/pair_features.h"

#include "lib/segments/event_pairs.cuh"
#include "pair_features/pair_features_call.h"

namespace upsilon {
namespace {

template <int threads>
UPS_KERNEL_LB(threads)
compute(const int32_t* fault, PairFeaturesForward<float> f, const int64_t* pairs, const Kinematics* kinematics) {
  if (*fault != 0) return;
  for (int64_t pair = global_thread(); pair < pairs[f.events]; pair += global_threads()) {
    const int64_t event = event_of(pairs, f.events, pair), first = f.offsets[event], size = f.size(event);
    const int64_t own = pair - pairs[event];
    float of_pair[pair_feature_count];
    pair_features(kinematics[first + own / size], kinematics[first + own % size], f.eps, of_pair);
    for (int c = 0; c < pair_feature_count; ++c) f.features[pair * pair_feature_count + c] = of_pair[c];
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
differentiate(const int32_t* fault, PairFeaturesBackward<float> f, const int64_t* pairs, const Kinematics* kinematics) {
  if (*fault != 0) return;
  const auto lanes = ups::Tile<32>::here();
  const int64_t lane = threadIdx.x % 32;
  for (int64_t i = global_thread() / 32; i < f.particles; i += global_threads() / 32) {
    const bool in_event = i >= f.offsets[0] && i < f.offsets[f.events];
    const int64_t event = in_event ? event_of(f.offsets, f.events, i) : 0;
    const int64_t first = in_event ? f.offsets[event] : 0, size = in_event ? f.size(event) : 0;
    const float* const dpairs = f.dfeatures + (in_event ? pairs[event] : 0) * pair_feature_count;
    Kinematics sum{};
    for (int64_t j = lane; j < size; j += 32) {
      double g[pair_feature_count];
      for (int c = 0; c < pair_feature_count; ++c)
        g[c] = static_cast<double>(dpairs[((i - first) * size + j) * pair_feature_count + c]) +
               static_cast<double>(dpairs[(j * size + i - first) * pair_feature_count + c]);
      add_pair_gradient(kinematics[i], kinematics[first + j], f.eps, g, sum);
    }
    sum.pt = lanes.sum(sum.pt);
    sum.rapidity = lanes.sum(sum.rapidity);
    sum.azimuth = lanes.sum(sum.azimuth);
    sum.px = lanes.sum(sum.px);
    sum.py = lanes.sum(sum.py);
    sum.pz = lanes.sum(sum.pz);
    sum.energy = lanes.sum(sum.energy);
    if (lane == 0) momentum_gradient(kinematics[i], sum, f.dmomenta + i * pair_columns_of_momenta);
  }
}

struct Scratch {
  int64_t* pairs;
  Kinematics* kinematics;
  Scratch(const PairFeatures<float>& f, WorkspaceLayout& workspace)
      : pairs(workspace.reserve<int64_t>(f.events + 1)), kinematics(workspace.reserve<Kinematics>(f.particles)) {}

  void start(Launcher& launch, const PairFeatures<float>& f) const {
    launch.grid(count_pairs<32>, 1, 1, 32, 0, f.offsets, f.offsets, f.events, pairs);
    launch.elements(find_kinematics<block_threads>, f.particles, f.momenta, f.particles, kinematics);
  }
};

ups_status forward(const Call& call) {
  const PairFeaturesForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  scratch.start(launch, f);
  launch.elements(compute<block_threads>, PairFeaturesForwardCall(call).dim("P") / pair_feature_count, f, scratch.pairs,
                  scratch.kinematics);
  return launch.status();
}

ups_status backward(const Call& call) {
  const PairFeaturesBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  scratch.start(launch, f);
  launch.elements(differentiate<block_threads>, f.particles * 32, f, scratch.pairs, scratch.kinematics);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, PairFeaturesForwardCall, forward, workspace_of<PairFeaturesForward<float>, Scratch>)
UPS_CUDA_VARIANT(backward, PairFeaturesBackwardCall, backward, workspace_of<PairFeaturesBackward<float>, Scratch>)

}  // namespace
}  // namespace upsilon
