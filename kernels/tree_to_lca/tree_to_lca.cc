// Reference: the definition, in plain loops.
#include "tree_to_lca/tree_to_lca.h"

#include "lib/kernel.h"
#include "tree_to_lca/tree_to_lca_call.h"

namespace upsilon {
namespace {

struct Scratch {
  int32_t *stage, *leaves;
  Scratch(const TreeToLca& f, WorkspaceLayout& workspace)
      : stage(workspace.reserve<int32_t>(f.nodes)), leaves(workspace.reserve<int32_t>(f.nodes)) {}
};

ups_status run_reference(const Call& call) {
  const TreeToLca f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  std::fill_n(f.lca, f.entries, 0);
  int64_t at = 0;
  f.leaf_offsets[0] = 0;
  for (int64_t b = 0; b < f.events; ++b) {
    const int64_t begin = f.offsets[b];
    const TreeEvent event{f.mother + begin, f.stage ? f.stage + begin : nullptr, f.offsets[b + 1] - begin,
                          scratch.stage, scratch.leaves};
    const int64_t count = event.prepare();
    f.leaf_offsets[b + 1] = f.leaf_offsets[b] + static_cast<int32_t>(count);
    if (count * count > f.entries - at) at = f.entries;
    else
      for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < count; ++j) f.lca[at++] = event.common(event.leaves[i], event.leaves[j]);
  }
  return UPS_OK;
}

const OperationOf<TreeToLcaCall> entry{{run_reference, workspace_of<TreeToLca, Scratch>},
                                       {run_reference, workspace_of<TreeToLca, Scratch>}};

}  // namespace
}  // namespace upsilon

ups_status ups_tree_to_lca(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                           const ups_tensor* stage, ups_tensor* leaf_offsets, ups_tensor* lca) noexcept {
  return upsilon::call(context, upsilon::entry, {offsets, mother, stage, leaf_offsets, lca}, nullptr);
}
