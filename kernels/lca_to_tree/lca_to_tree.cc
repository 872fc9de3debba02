// Reference: the definition, in plain loops.
#include "lca_to_tree/lca_to_tree.h"

#include "lib/kernel.h"
#include "lca_to_tree/lca_to_tree_call.h"

namespace upsilon {
namespace {

// Whether leaves that are joined at one stage are joined with the same others at every higher one.
bool is_tree(const LcaEvent& e) {
  for (int64_t i = 0; i < e.leaves; ++i)
    for (int64_t j = 0; j < e.leaves; ++j) {
      if (i == j) continue;
      if (e.at(i, j) < 0 || e.at(i, j) != e.at(j, i)) return false;
      if (e.at(i, j) == 0) continue;
      for (int64_t k = 0; k < e.leaves; ++k)
        if (k != i && k != j && e.at(j, k) > 0)
          if (e.at(i, k) == 0 || e.at(i, k) > std::max(e.at(i, j), e.at(j, k))) return false;
    }
  return true;
}

int64_t build_tree(const LcaEvent& e) {
  e.stand_alone();
  if (!is_tree(e)) return 0;
  int64_t nodes = e.leaves;
  for (int32_t level = 0; (level = e.next_stage(level)) > 0;)
    for (int64_t i = 0; i < e.leaves; ++i) {
      bool is_first = true, joins = false;
      for (int64_t j = 0; j < e.leaves; ++j) {
        if (j == i) continue;
        joins |= e.at(i, j) == level;
        is_first &= !(j < i && e.at(i, j) > 0 && e.at(i, j) <= level);
      }
      if (!is_first || !joins) continue;
      const auto node = static_cast<int32_t>(nodes++);
      e.mother[node] = -1;
      e.stage[node] = level;
      for (int64_t j = 0; j < e.leaves; ++j) {
        if (j != i && (e.at(i, j) == 0 || e.at(i, j) > level)) continue;
        e.mother[e.top[j]] = node;
        e.top[j] = node;
      }
    }
  return nodes;
}

struct Scratch {
  int64_t* begins;
  int32_t* of_event;
  Scratch(const LcaToTree& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.matrices.events + 1)), of_event(workspace.reserve<int32_t>(2 * f.leaves)) {}
};

ups_status run_reference(const Call& call) {
  const LcaToTree f(call);
  const auto [begins, scratch] = scratch_of<Scratch>(call, f);
  f.matrices.find_beginnings(begins);
  int64_t at = 0;
  for (int64_t b = 0; b < f.matrices.events; ++b) {
    const int64_t leaves = f.matrices.rows(b);
    const LcaEvent event{f.lca + begins[b], leaves, f.mothers + at, f.stages + at, scratch, scratch + f.leaves};
    const bool is_there = f.matrices.has(b, begins[b]);
    const int64_t nodes = is_there ? build_tree(event) : 0;
    f.status[b] = !is_there ? UPS_LCA_MISSING : nodes == 0 && leaves > 0 ? UPS_LCA_NO_TREE : UPS_LCA_TREE;
    if (nodes == 0) event.stand_alone();
    f.node_offsets[b] = static_cast<int32_t>(at);
    at += nodes > 0 ? nodes : leaves;
  }
  f.node_offsets[f.matrices.events] = static_cast<int32_t>(at);
  std::fill_n(f.mothers + at, 2 * f.leaves - at, -1);
  std::fill_n(f.stages + at, 2 * f.leaves - at, -1);
  return UPS_OK;
}

const OperationOf<LcaToTreeCall> entry{{run_reference, workspace_of<LcaToTree, Scratch>},
                                       {run_reference, workspace_of<LcaToTree, Scratch>}};

}  // namespace
}  // namespace upsilon

ups_status ups_lca_to_tree(ups_context* context, const ups_tensor* lca, const ups_tensor* leaf_offsets,
                           ups_tensor* mothers, ups_tensor* stages, ups_tensor* node_offsets,
                           ups_tensor* status) noexcept {
  return upsilon::call(context, upsilon::entry, {lca, leaf_offsets, mothers, stages, node_offsets, status}, nullptr);
}
