// CUDA: a thread makes the tree of an event, as each step waits for the one before; blocks move the
// trees together. Floor: 8 bytes an entry and stage.
#include "lib/segments/pair_matrices.cuh"

#include "lca_to_tree/lca_to_tree_call.h"

namespace upsilon {
namespace {

struct Scratch {
  int64_t* begins;
  int32_t *mother, *stage, *top, *members, *nodes;
  Scratch(const LcaToTree& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.matrices.events + 1)), mother(workspace.reserve<int32_t>(2 * f.leaves)),
        stage(workspace.reserve<int32_t>(2 * f.leaves)), top(workspace.reserve<int32_t>(f.leaves)),
        members(workspace.reserve<int32_t>(f.leaves)), nodes(workspace.reserve<int32_t>(f.matrices.events)) {}
};

template <int threads>
UPS_KERNEL_LB(threads)
make_trees(const int32_t* fault, LcaToTree f, Scratch scratch) {
  if (*fault != 0) return;
  for (int64_t b = global_thread(); b < f.matrices.events; b += global_threads()) {
    const int64_t leaves = f.matrices.rows(b), first = f.leaf_offsets[b];
    const LcaEvent event{f.lca + scratch.begins[b],  leaves,
                         scratch.mother + 2 * first, scratch.stage + 2 * first,
                         scratch.top + first,        scratch.members + first};
    const bool is_there = f.matrices.has(b, scratch.begins[b]);
    const int64_t nodes = is_there ? event.build() : 0;
    f.status[b] = !is_there ? UPS_LCA_MISSING : nodes == 0 && leaves > 0 ? UPS_LCA_NO_TREE : UPS_LCA_TREE;
    if (nodes == 0) event.stand_alone();
    scratch.nodes[b] = static_cast<int32_t>(nodes > 0 ? nodes : leaves);
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
move_together(const int32_t* fault, LcaToTree f, Scratch scratch) {
  if (*fault != 0) return;
  for (int64_t b = blockIdx.x; b < f.matrices.events; b += gridDim.x)
    for (int64_t k = threadIdx.x; k < scratch.nodes[b]; k += threads) {
      f.mothers[f.node_offsets[b] + k] = scratch.mother[2 * f.leaf_offsets[b] + k];
      f.stages[f.node_offsets[b] + k] = scratch.stage[2 * f.leaf_offsets[b] + k];
    }
}

constexpr int event_threads = 128;
constexpr int64_t max_blocks = 4096;

template <int threads>
UPS_KERNEL_LB(threads)
fill_behind(const int32_t* fault, LcaToTree f) {
  if (*fault != 0) return;
  for (int64_t k = global_thread(); k < 2 * f.leaves; k += global_threads())
    if (k >= f.node_offsets[f.matrices.events]) f.mothers[k] = f.stages[k] = -1;
}

ups_status run(const Call& call) {
  const LcaToTree f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  const int64_t events = f.matrices.events;
  Launcher launch(call);
  launch.grid(find_pair_matrices<block_threads>, 1, 1, block_threads, 0, f.matrices, scratch.begins);
  launch.elements(make_trees<block_threads>, events, f, scratch);
  launch.grid(add_up<block_threads>, 1, 1, block_threads, 0, scratch.nodes, events, f.node_offsets, nullptr,
              int64_t{0});
  launch.grid(move_together<event_threads>, std::min(events, max_blocks), 1, event_threads, 0, f, scratch);
  launch.elements(fill_behind<block_threads>, 2 * f.leaves, f);
  return launch.status();
}

UPS_CUDA_VARIANT(run, LcaToTreeCall, run, workspace_of<LcaToTree, Scratch>)

}  // namespace
}  // namespace upsilon
