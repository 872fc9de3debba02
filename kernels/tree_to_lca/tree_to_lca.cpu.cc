// Events are shared out among the threads. A leaf marks what is above it, then every other leaf
// goes up until it meets a mark: a few steps an entry, as decay trees are flat; nothing to lay
// across vectors. Floor: 4 bytes an entry.
#include "tree_to_lca/tree_to_lca.h"
#include "tree_to_lca/tree_to_lca_call.h"

#define UPS_SIMD_SOURCE "tree_to_lca/tree_to_lca.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/each_item.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_events = 16;

struct Scratch {
  int64_t* begins;
  int32_t *stage, *leaves, *mark;
  Scratch(const TreeToLca& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.events + 1)), stage(workspace.reserve<int32_t>(f.nodes)),
        leaves(workspace.reserve<int32_t>(f.nodes)), mark(workspace.reserve<int32_t>(f.nodes)) {}
};

ups_status run(const Call& call) {
  const TreeToLca f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  const auto event_of = [&](int64_t b) {
    const int64_t begin = f.offsets[b];
    return TreeEvent{f.mother + begin, f.stage ? f.stage + begin : nullptr, f.offsets[b + 1] - begin,
                     scratch.stage + begin, scratch.leaves + begin};
  };
  each_item(*call.threads, f.events, task_events, [&](int64_t b) { scratch.begins[b] = event_of(b).prepare(); });
  f.leaf_offsets[0] = 0;
  int64_t at = 0;
  for (int64_t b = 0; b < f.events; ++b) {
    const int64_t count = scratch.begins[b];
    f.leaf_offsets[b + 1] = f.leaf_offsets[b] + static_cast<int32_t>(count);
    scratch.begins[b] = at;
    at = std::min(at + count * count, f.entries);
  }
  scratch.begins[f.events] = at;
  each_item(*call.threads, f.events, task_events, [&](int64_t b) {
    const TreeEvent event = event_of(b);
    const int64_t count = f.leaf_offsets[b + 1] - f.leaf_offsets[b], room = scratch.begins[b + 1] - scratch.begins[b];
    int32_t *lca = f.lca + scratch.begins[b], *mark = scratch.mark + f.offsets[b];
    if (count * count > room) {
      std::fill_n(lca, room, 0);
      return;
    }
    std::fill_n(mark, event.nodes, -1);
    for (int64_t i = 0; i < count; ++i) {
      const int32_t leaf = event.leaves[i];
      for (int32_t node = leaf; node >= 0; node = event.mother[node]) mark[node] = leaf;
      for (int64_t j = 0; j < count; ++j) {
        int32_t node = event.leaves[j];
        while (node >= 0 && mark[node] != leaf) node = event.mother[node];
        *lca++ = i == j || node < 0 ? 0 : event.stage[node];
      }
    }
  });
  std::fill_n(f.lca + at, f.entries - at, 0);
  return UPS_OK;
}

UPS_CPU_VARIANT(run, TreeToLcaCall, run, workspace_of<TreeToLca, Scratch>)

UPS_SIMD_END
