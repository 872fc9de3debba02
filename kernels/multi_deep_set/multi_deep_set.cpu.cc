// SIMD: lib/dense/pooled_layers.simd.h for one set after the other, in the same scratch; their rows
// meet in y. Floor: the sum over the sets of 2 N (sum of M_l M_(l-1)) FLOP against the FMA peak,
// three to four times that for backward, which computes the layers again, and one time more for the
// extremes of all sets together.
#include "multi_deep_set/multi_deep_set.h"
#include "multi_deep_set/multi_deep_set_call.h"

#define UPS_SIMD_SOURCE "multi_deep_set/multi_deep_set.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/pooled_layers.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/segments/set_pieces.simd.h"

UPS_SIMD_BEGIN

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
  float* scales;  // of the events for a mean over all sets, else null
  char* of_set;

  ForwardScratch(const MultiDeepSetForward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : scales(f.before && f.pool == UPS_POOL_MEAN ? workspace.reserve<float>(f.events) : nullptr),
        of_set(take_for_each(f.lists, workspace,
                             [&](int32_t s, WorkspaceLayout& own) { (void)PoolingScratch(f.list[s], workers, own); })) {
  }
};

ups_status forward(const Call& call) {
  const MultiDeepSetForward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  float* const scales = scratch.scales;
  if (scales) each_set(threads, f.events, [&](int64_t event) { scales[event] = f.scale(event); });
  each_list(f.lists, scratch.of_set, [&](int32_t s, WorkspaceLayout& workspace) {
    const PoolingScratch of_list(f.list[s], threads.count(), workspace);
    const Earlier earlier = f.before ? Earlier{f.list, s} : Earlier{};
    pool_layers(threads, f.list[s], of_list, {f.y + f.first_column[s], f.width, scales, earlier});
  });
  return UPS_OK;
}

// Whether products of set `s` are wanted; known before there is memory for them.
bool wants_products(const MultiDeepSetBackward<float>& f, int32_t s) {
  return f.to[s].dparticle_weights || f.shares_divisor();
}

struct BackwardScratch {
  float* scales;  // of the events, for means: of the present set, or of all together
  float* products[UPS_MULTI_DEEP_SET_MAX_SETS] = {};  // dy . h of particles, where no dparticle_weights holds them
  SharedExtremes extremes;
  char* of_set;

  BackwardScratch(const MultiDeepSetBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : scales(f.pool == UPS_POOL_MEAN ? workspace.reserve<float>(f.events) : nullptr) {
    if (f.before && is_extreme(f.pool)) extremes = SharedExtremes(f.events, f.width, workspace);
    for (int32_t s = 0; s < f.lists; ++s) {
      products[s] = f.to[s].dparticle_weights;
      if (f.shares_divisor() && !products[s]) products[s] = workspace.reserve<float>(f.list[s].particles);
    }
    of_set = take_for_each(f.lists, workspace, [&](int32_t s, WorkspaceLayout& own) {
      (void)PooledBackwardScratch(f.list[s], f.to[s].dx != nullptr, wants_products(f, s), workers, own);
    });
  }
};

// What the divisor of a mean over the sets [first, end) adds to the gradients of their weights.
void subtract_means(Threads& threads, const MultiDeepSetBackward<float>& f, const BackwardScratch& scratch,
                    int32_t first, int32_t end) {
  each_set(threads, f.events, [&](int64_t event) {
    float mean = 0.0f;
    for (int32_t s = first; s < end; ++s)
      for (int64_t i = f.list[s].offsets[event]; i < f.list[s].offsets[event + 1]; ++i)
        mean += f.list[s].weight_of(i) * scratch.products[s][i];
    for (int32_t s = first; s < end; ++s)
      for (int64_t i = f.list[s].offsets[event]; f.to[s].dparticle_weights && i < f.list[s].offsets[event + 1]; ++i)
        f.to[s].dparticle_weights[i] -= scratch.scales[event] * mean;
  });
}

ups_status backward(const Call& call) {
  const MultiDeepSetBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const auto with_list = [&](auto&& body) {
    each_list(f.lists, scratch.of_set, [&](int32_t s, WorkspaceLayout& workspace) {
      const PooledBackwardScratch of_list(f.list[s], f.to[s].dx != nullptr, wants_products(f, s), threads.count(),
                                          workspace);
      body(s, of_list,
           PooledGradients{f.dy + f.first_column[s],
                           f.width,
                           scratch.scales,
                           scratch.products[s],
                           scratch.extremes,
                           s,
                           {f.list, f.before ? s : 0}});
    });
  };
  if (scratch.scales && f.before)
    each_set(threads, f.events, [&](int64_t event) { scratch.scales[event] = f.scale(event); });
  if (f.before && is_extreme(f.pool))
    with_list([&](int32_t s, const PooledBackwardScratch& of_list, const PooledGradients& from) {
      find_extremes_first(threads, f.list[s], of_list, from);
    });
  with_list([&](int32_t s, const PooledBackwardScratch& of_list, const PooledGradients& from) {
    if (scratch.scales && !f.before)
      each_set(threads, f.events,
               [&](int64_t event) { scratch.scales[event] = mean_scale(f.list[s].total_weight(event)); });
    pooled_layers_backward(threads, f.list[s], f.to[s], of_list, from);
    if (scratch.scales && !f.before && f.to[s].dparticle_weights) subtract_means(threads, f, scratch, s, s + 1);
  });
  if (f.shares_divisor()) subtract_means(threads, f, scratch, 0, f.lists);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, MultiDeepSetForwardCall, forward, workspace_of<MultiDeepSetForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, MultiDeepSetBackwardCall, backward,
                workspace_of<MultiDeepSetBackward<float>, BackwardScratch>)

UPS_SIMD_END
