// CUDA: lib/dense/pooled_layers.cuh for one set after the other, in the same scratch; their pooled
// rows go to their columns of y, or are joined. Floor: the sum over the sets of 2 N (sum of M_l
// M_(l-1)) FLOP, three times that for backward and once more for extremes, or every x once through
// memory.
#include "multi_deep_set/multi_deep_set.h"

#include "lib/dense/pooled_layers.cuh"
#include "multi_deep_set/multi_deep_set_call.h"

namespace upsilon {
namespace {

constexpr int max_sets = UPS_MULTI_DEEP_SET_MAX_SETS;

// The event boundaries of all sets, for kernels.
struct AllOffsets {
  const int32_t* offsets[max_sets];
};

// y[event, column + c] = pooled[event, c], or joined with what the sets before put there.
template <int threads>
UPS_KERNEL_LB(threads)
place_rows(const int32_t* fault, const float* pooled, int64_t events, int64_t columns, AllOffsets sets, int32_t set,
           bool before, int32_t pool, float* y, int64_t stride) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < events * columns; at += global_threads()) {
    const int64_t event = at / columns;
    float* const to = y + event * stride + at % columns;
    const float value = pooled[at];
    bool held = false;
    for (int32_t s = 0; before && s < set; ++s) held |= sets.offsets[s][event + 1] > sets.offsets[s][event];
    if (before && set > 0 && sets.offsets[set][event + 1] == sets.offsets[set][event]) continue;
    const float so_far = *to;
    if (!held) *to = value;
    else if (pool == UPS_POOL_SUM || pool == UPS_POOL_MEAN) *to = so_far + value;
    else if (value != value || (pool == UPS_POOL_MAX ? value > so_far : value < so_far)) *to = value;
  }
}

// The pooled rows and extreme particles of every set, for kernels.
struct AllExtremes {
  const float* value[max_sets];
  int32_t* where[max_sets];
};

// Of the sets' extremes only that of all together stays, the first of equal ones; the others become
// -1.
template <int threads>
UPS_KERNEL_LB(threads)
keep_extremes(const int32_t* fault, AllExtremes all, int32_t sets, int64_t count, bool largest) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < count; at += global_threads()) {
    int32_t best = -1;
    float extreme = 0.0f;
    for (int32_t s = 0; s < sets; ++s) {
      if (all.where[s][at] < 0) continue;
      const float value = all.value[s][at];
      const bool beyond = largest ? value > extreme : value < extreme;
      if (best >= 0 && (extreme != extreme || !(beyond || value != value))) continue;
      best = s;
      extreme = value;
    }
    for (int32_t s = 0; s < sets; ++s)
      if (s != best) all.where[s][at] = -1;
  }
}

// Gives all sets the same scratch: `use(set, workspace)` for each, and the bytes of the largest.
template <class Use>
size_t each_list(int32_t lists, void* memory, Use&& use) {
  size_t most = 0;
  for (int32_t s = 0; s < lists; ++s) {
    WorkspaceLayout workspace(memory);
    use(s, workspace);
    most = std::max(most, workspace.bytes());
  }
  return most;
}
// As many bytes as the largest of the sets takes; `use` as above.
template <class Use>
char* take_for_each(int32_t lists, WorkspaceLayout& workspace, Use&& use) {
  return workspace.reserve<char>(static_cast<int64_t>(each_list(lists, nullptr, use)));
}

struct ForwardScratch {
  float *scales, *pooled;
  char* of_set;

  ForwardScratch(const MultiDeepSetForward<float>& f, WorkspaceLayout& workspace) {
    int64_t widest = 0;
    for (int32_t s = 0; s < f.lists; ++s) widest = std::max(widest, f.list[s].last_width());
    scales = workspace.reserve<float>(f.pool == UPS_POOL_MEAN ? f.events : 0);
    pooled = workspace.reserve<float>(f.events * widest);
    of_set = take_for_each(f.lists, workspace,
                           [&](int32_t s, WorkspaceLayout& own) { (void)PoolingScratch(f.list[s], own); });
  }
};

ups_status forward(const Call& call) {
  const MultiDeepSetForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  Launcher launch(call);
  AllOffsets offsets{};
  for (int32_t s = 0; s < f.lists; ++s) offsets.offsets[s] = f.list[s].offsets;
  const bool mean = f.pool == UPS_POOL_MEAN;
  if (mean && f.before) find_scales(launch, f.list, f.lists, scratch.scales);
  each_list(f.lists, scratch.of_set, [&](int32_t s, WorkspaceLayout& workspace) {
    const PooledLayers<float>& set = f.list[s];
    if (mean && !f.before) find_scales(launch, &set, 1, scratch.scales);
    const PoolingScratch of_list(set, workspace);
    const float* const scales = mean ? scratch.scales : nullptr;
    float* const y = f.y + f.first_column[s];
    if (of_list.in_tiles && !f.before) return of_list.pool(launch, call.precision, set, {y, f.width, scales});
    of_list.pool(launch, call.precision, set, {scratch.pooled, set.last_width(), scales});
    launch.elements(place_rows<block_threads>, f.events * set.last_width(), scratch.pooled, f.events, set.last_width(),
                    offsets, s, f.before, f.pool, y, f.width);
  });
  return launch.status();
}

struct BackwardScratch {
  float* scales;
  char* of_set;
  float* products[max_sets] = {};  // dy . h of particles, where no dparticle_weights holds them
  float* extremes[max_sets] = {};  // of each set, where all are pooled together
  int32_t* where[max_sets] = {};

  BackwardScratch(const MultiDeepSetBackward<float>& f, WorkspaceLayout& workspace) {
    scales = workspace.reserve<float>(f.pool == UPS_POOL_MEAN ? f.events : 0);
    for (int32_t s = 0; s < f.lists; ++s) {
      products[s] = f.to[s].dparticle_weights;
      if (f.shares_divisor() && !products[s]) products[s] = workspace.reserve<float>(f.list[s].particles);
      if (!is_extreme(f.pool)) continue;
      where[s] = workspace.reserve<int32_t>(f.events * f.list[s].last_width());
      if (f.before) extremes[s] = workspace.reserve<float>(f.events * f.list[s].last_width());
    }
    of_set = take_for_each(f.lists, workspace,
                           [&](int32_t s, WorkspaceLayout& own) { (void)PooledBackwardScratch(f.list[s], own); });
  }
};

ups_status backward(const Call& call) {
  const MultiDeepSetBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  const bool mean = f.pool == UPS_POOL_MEAN, together = f.before && is_extreme(f.pool);
  WeightedLists<max_sets> weighted{};
  weighted.count = f.lists;
  AllExtremes all{};
  for (int32_t s = 0; s < f.lists; ++s) {
    weighted.list[s] = {f.list[s].offsets, f.list[s].particle_weights, scratch.products[s], f.to[s].dparticle_weights};
    all.value[s] = scratch.extremes[s];
    all.where[s] = scratch.where[s];
  }
  if (together) {
    each_list(f.lists, scratch.of_set, [&](int32_t s, WorkspaceLayout& workspace) {
      PooledBackwardScratch(f.list[s], workspace)
          .find_extremes(launch, call.precision, f.list[s], scratch.where[s], scratch.extremes[s]);
    });
    launch.elements(keep_extremes<block_threads>, f.events * f.width, all, f.lists, f.events * f.width,
                    f.pool == UPS_POOL_MAX);
  }
  if (mean && f.before) find_scales(launch, f.list, f.lists, scratch.scales);
  each_list(f.lists, scratch.of_set, [&](int32_t s, WorkspaceLayout& workspace) {
    const PooledLayers<float>& set = f.list[s];
    PooledBackwardScratch of_list(set, workspace);
    if (is_extreme(f.pool) && !together) of_list.find_extremes(launch, call.precision, set, scratch.where[s]);
    if (mean && !f.before) find_scales(launch, &set, 1, scratch.scales);
    of_list.backward(
        launch, call.precision, set, f.to[s],
        {f.dy + f.first_column[s], f.width, mean ? scratch.scales : nullptr, scratch.where[s], scratch.products[s]});
    if (mean && !f.before && f.to[s].dparticle_weights)
      launch.elements(subtract_means<block_threads, 1>, f.events, WeightedLists<1>{{weighted.list[s]}, 1},
                      scratch.scales, f.events);
  });
  if (f.shares_divisor())
    launch.elements(subtract_means<block_threads, max_sets>, f.events, weighted, scratch.scales, f.events);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, MultiDeepSetForwardCall, forward, workspace_of<MultiDeepSetForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, MultiDeepSetBackwardCall, backward,
                 workspace_of<MultiDeepSetBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
