// Reference: the definition, in plain loops.
#include "tree_to_lca/tree_to_lca.h"

#include "lib/kernel.h"
#include "tree_to_lca/tree_to_lca_call.h"

namespace upsilon {
namespace {

size_t workspace_reference(const Call& call) {
  Pieces pieces(nullptr);
  pieces.take<int32_t>(2 * call.dims[1]);
  return pieces.bytes();
}

ups_status run_reference(const Call& call) {
  const TreeToLca f(call);
  int32_t* const scratch = static_cast<int32_t*>(call.workspace);
  std::fill_n(f.lca, f.entries, 0);
  int64_t at = 0;
  f.leaf_offsets[0] = 0;
  for (int64_t b = 0; b < f.events; ++b) {
    const int64_t begin = f.offsets[b];
    const TreeEvent event{f.mother + begin, f.stage ? f.stage + begin : nullptr, f.offsets[b + 1] - begin, scratch,
                          scratch + f.nodes};
    const int64_t count = event.prepare();
    f.leaf_offsets[b + 1] = f.leaf_offsets[b] + static_cast<int32_t>(count);
    if (count * count > f.entries - at) at = f.entries;
    else
      for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < count; ++j) f.lca[at++] = event.common(event.leaves[i], event.leaves[j]);
  }
  return UPS_OK;
}

const OperationEntry entry{"tree_to_lca",
                           UPS_TREE_TO_LCA_SCHEMA,
                           0,
                           {run_reference, workspace_reference},
                           {run_reference, workspace_reference}};

}  // namespace
}  // namespace upsilon

ups_status ups_tree_to_lca(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                           const ups_tensor* stage, ups_tensor* leaf_offsets, ups_tensor* lca) noexcept {
  return upsilon::call(context, upsilon::entry, {offsets, mother, stage, leaf_offsets, lca}, nullptr);
}
