// CUDA: a thread finds the leaves and stages of an event, a block writes its matrix, a thread an
// entry. Floor: 4 bytes an entry.
#include "lib/segments/pair_matrices.cuh"

#include "tree_to_lca/tree_to_lca_call.h"

namespace upsilon {
namespace {

constexpr int event_threads = 128;
constexpr int64_t max_blocks = 4096;

struct Scratch {
  int64_t* begins;
  int32_t *stage, *leaves, *counts;
  Scratch(const TreeToLca& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.events + 1)), stage(workspace.reserve<int32_t>(f.nodes)),
        leaves(workspace.reserve<int32_t>(f.nodes)), counts(workspace.reserve<int32_t>(f.events)) {}
  UPS_HD TreeEvent event_of(const TreeToLca& f, int64_t b) const {
    const int64_t begin = f.offsets[b];
    return {f.mother + begin, f.stage ? f.stage + begin : nullptr, f.offsets[b + 1] - begin, stage + begin,
            leaves + begin};
  }
};

template <int threads>
UPS_KERNEL_LB(threads)
find_leaves(const int32_t* fault, TreeToLca f, Scratch scratch) {
  if (*fault != 0) return;
  for (int64_t b = global_thread(); b < f.events; b += global_threads())
    scratch.counts[b] = static_cast<int32_t>(scratch.event_of(f, b).prepare());
}

template <int threads>
UPS_KERNEL_LB(threads)
write_matrices(const int32_t* fault, TreeToLca f, Scratch scratch) {
  if (*fault != 0) return;
  for (int64_t b = blockIdx.x; b < f.events; b += gridDim.x) {
    const TreeEvent event = scratch.event_of(f, b);
    const int64_t count = scratch.counts[b], begin = scratch.begins[b];
    if (count * count > f.entries - begin) continue;
    for (int64_t at = threadIdx.x; at < count * count; at += threads)
      f.lca[begin + at] = event.common(event.leaves[at / count], event.leaves[at % count]);
  }
}

ups_status run(const Call& call) {
  const TreeToLca f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  launch.clear(f.lca, static_cast<size_t>(f.entries) * sizeof(int32_t));
  launch.elements(find_leaves<block_threads>, f.events, f, scratch);
  launch.grid(add_up<block_threads>, 1, 1, block_threads, 0, scratch.counts, f.events, f.leaf_offsets, scratch.begins,
              f.entries);
  launch.grid(write_matrices<event_threads>, std::min(f.events, max_blocks), 1, event_threads, 0, f, scratch);
  return launch.status();
}

UPS_CUDA_VARIANT(run, TreeToLcaCall, run, workspace_of<TreeToLca, Scratch>)

}  // namespace
}  // namespace upsilon
