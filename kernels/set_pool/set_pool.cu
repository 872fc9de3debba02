// CUDA: the segment reductions of lib/segments/segments.cu; with weights after products of rows
// that go through the workspace.
#include "set_pool/set_pool.h"

#include "lib/dense/pooled_layers.cuh"
#include "lib/segments/segments.h"
#include "set_pool/set_pool_call.h"

namespace upsilon {
namespace {

template <class Pooling>
Segments segments_of(const Pooling& f) {
  return {f.offsets, nullptr, f.x, f.channels, f.elements, f.sets, f.channels};
}

// With weights: the scales of the sets, for means.
template <class Pooling>
float* take_scales(const Pooling& f, WorkspaceLayout& workspace) {
  return f.weights && f.pool == UPS_POOL_MEAN ? workspace.reserve<float>(f.sets) : nullptr;
}
template <class Pooling>
void find_scales_of(Launcher& launch, const Pooling& f, float* scales) {
  if (!scales) return;
  launch.elements(add_weights<block_threads>, f.sets, f.offsets, f.weights, f.sets, false, scales);
  launch.elements(invert_weights<block_threads>, f.sets, f.sets, scales);
}

struct Scratch {
  float* value;
  int32_t* where;
  template <class Pooling>
  Scratch(const Pooling& f, WorkspaceLayout& workspace) {
    const int64_t count = segment_floats(segments_of(f));
    value = workspace.reserve<float>(count);
    where = workspace.reserve<int32_t>(!is_extreme(f.pool) ? 0 : count);
  }
};

struct ForwardScratch : Scratch {
  float *scales, *weighted;  // weighted: the rows of x times their weights
  ForwardScratch(const SetPoolForward<float>& f, WorkspaceLayout& workspace)
      : Scratch(f, workspace), scales(take_scales(f, workspace)),
        weighted(f.weights ? workspace.reserve<float>(f.elements * f.channels) : nullptr) {}
};

ups_status forward(const Call& call) {
  const SetPoolForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  Launcher launch(call);
  if (f.weights) {
    Segments segments = segments_of(f);
    segments.x = scratch.weighted;
    launch.elements(multiply_rows<block_threads>, f.elements * f.channels, f.x, f.weights, f.elements, f.channels,
                    scratch.weighted);
    segment_sums(launch, segments, false, scratch.value, f.y);
    find_scales_of(launch, f, scratch.scales);
    if (scratch.scales)
      launch.elements(multiply_rows<block_threads>, f.sets * f.channels, f.y, scratch.scales, f.sets, f.channels, f.y);
    return launch.status();
  }
  if (!is_extreme(f.pool)) segment_sums(launch, segments_of(f), f.pool == UPS_POOL_MEAN, scratch.value, f.y);
  else segment_extremes(launch, segments_of(f), f.pool == UPS_POOL_MIN, scratch.value, scratch.where, f.y, nullptr);
  return launch.status();
}

// A warp finds the sets of 32 rows, then writes those rows of dx side by side. `where` is null for
// sum and mean.
template <int threads>
UPS_KERNEL_LB(threads)
spread(const int32_t* fault, SetPoolBackward<float> f, const int32_t* where) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t warps = global_threads() / 32, groups = (f.elements + 31) / 32;
  for (int64_t group = global_thread() / 32; group < groups; group += warps) {
    const int64_t own_row = group * 32 + lane;
    int64_t own_set = -1;
    float own_scale = 0.0f;
    if (f.sets > 0 && own_row >= f.offsets[0] && own_row < f.offsets[f.sets]) {
      int64_t low = 0, high = f.sets;  // the last set that begins at or before the row
      while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (f.offsets[middle] <= own_row) low = middle;
        else high = middle;
      }
      own_set = low;
      own_scale = f.pool == UPS_POOL_MEAN ? 1.0f / static_cast<float>(f.offsets[low + 1] - f.offsets[low]) : 1.0f;
    }
    for (int64_t i = lane; i < 32 * f.channels; i += 32) {
      const int row = static_cast<int>(i / f.channels);
      const int64_t column = i % f.channels, set = ups::Tile<32>::here().shfl(own_set, row);
      const float scale = ups::Tile<32>::here().shfl(own_scale, row);
      if (group * 32 + row >= f.elements) continue;
      float dx = 0.0f;
      if (set >= 0 && (!where || where[set * f.channels + column] == group * 32 + row))
        dx = f.dy[set * f.channels + column] * scale;
      f.dx[group * 32 * f.channels + i] = dx;
    }
  }
}

struct BackwardScratch : Scratch {
  int32_t* extreme;
  BackwardScratch(const SetPoolBackward<float>& f, WorkspaceLayout& workspace) : Scratch(f, workspace) {
    extreme = workspace.reserve<int32_t>(f.sets * f.channels);
  }
  static bool needed(const SetPoolBackward<float>& f) { return !f.weights && is_extreme(f.pool); }
};

struct WeightedScratch {
  float* scales;
  WeightedScratch(const SetPoolBackward<float>& f, WorkspaceLayout& workspace) : scales(take_scales(f, workspace)) {}
  static bool needed(const SetPoolBackward<float>& f) { return f.weights != nullptr; }
};

// The gradients with weights.
ups_status backward_weighted(const Call& call, const SetPoolBackward<float>& f) {
  float* const scales = scratch_of<WeightedScratch>(call, f).scales;
  Launcher launch(call);
  find_scales_of(launch, f, scales);
  launch.elements(spread_sets<block_threads>, f.elements * (f.channels + 1),
                  Spread{f.offsets, f.weights, f.dy, f.x, scales, nullptr, f.dx, f.dweights, f.elements, f.sets,
                         f.channels, f.channels});
  if (f.dweights && scales)
    launch.elements(subtract_means<block_threads, 1>, f.sets,
                    WeightedLists<1>{{{f.offsets, f.weights, f.dweights, f.dweights}}, 1}, scales, f.sets);
  return launch.status();
}

ups_status backward(const Call& call) {
  const SetPoolBackward<float> f(call);
  if (f.weights) return backward_weighted(call, f);
  Launcher launch(call);
  if (!f.dx) return launch.status();
  const int32_t* where = nullptr;
  if (is_extreme(f.pool)) {
    const auto scratch = scratch_of<BackwardScratch>(call, f);
    segment_extremes(launch, segments_of(f), f.pool == UPS_POOL_MIN, scratch.value, scratch.where, nullptr,
                     scratch.extreme);
    where = scratch.extreme;
  }
  if (f.channels > 0) launch.elements(spread<block_threads>, f.elements, f, where);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, SetPoolForwardCall, forward, workspace_of<SetPoolForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, SetPoolBackwardCall, backward,
                 workspace_of<SetPoolBackward<float>, WeightedScratch, BackwardScratch>)

}  // namespace
}  // namespace upsilon
