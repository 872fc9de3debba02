// Events are shared out among the threads. A matrix is read once for each of its stages, and a pair
// is compared at every node above it: 8 bytes an entry and stage from L1.
#include "lca_to_tree/lca_to_tree.h"
#include "lca_to_tree/lca_to_tree_call.h"

#define UPS_SIMD_SOURCE "lca_to_tree/lca_to_tree.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/each_item.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_events = 16;

struct Scratch {
  int64_t* begins;
  int32_t *mother, *stage, *top, *members, *nodes;
  Scratch(const LcaToTree& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.matrices.events + 1)), mother(workspace.reserve<int32_t>(2 * f.leaves)),
        stage(workspace.reserve<int32_t>(2 * f.leaves)), top(workspace.reserve<int32_t>(f.leaves)),
        members(workspace.reserve<int32_t>(f.leaves)), nodes(workspace.reserve<int32_t>(f.matrices.events)) {}
};

// Trees are made at places with room for the most nodes, then moved together.
ups_status run(const Call& call) {
  const LcaToTree f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  const int64_t events = f.matrices.events;
  f.matrices.find_beginnings(scratch.begins);
  each_item(*call.threads, events, task_events, [&](int64_t b) {
    const int64_t leaves = f.matrices.rows(b), first = f.leaf_offsets[b];
    const LcaEvent event{f.lca + scratch.begins[b],  leaves,
                         scratch.mother + 2 * first, scratch.stage + 2 * first,
                         scratch.top + first,        scratch.members + first};
    const bool is_there = f.matrices.has(b, scratch.begins[b]);
    const int64_t nodes = is_there ? event.build() : 0;
    f.status[b] = !is_there ? UPS_LCA_MISSING : nodes == 0 && leaves > 0 ? UPS_LCA_NO_TREE : UPS_LCA_TREE;
    if (nodes == 0) event.stand_alone();
    scratch.nodes[b] = static_cast<int32_t>(nodes > 0 ? nodes : leaves);
  });
  f.node_offsets[0] = 0;
  for (int64_t b = 0; b < events; ++b) f.node_offsets[b + 1] = f.node_offsets[b] + scratch.nodes[b];
  each_item(*call.threads, events, task_events, [&](int64_t b) {
    std::copy_n(scratch.mother + 2 * f.leaf_offsets[b], scratch.nodes[b], f.mothers + f.node_offsets[b]);
    std::copy_n(scratch.stage + 2 * f.leaf_offsets[b], scratch.nodes[b], f.stages + f.node_offsets[b]);
  });
  const int64_t end = f.node_offsets[events];
  std::fill_n(f.mothers + end, 2 * f.leaves - end, -1);
  std::fill_n(f.stages + end, 2 * f.leaves - end, -1);
  return UPS_OK;
}

UPS_CPU_VARIANT(run, LcaToTreeCall, run, workspace_of<LcaToTree, Scratch>)

UPS_SIMD_END
