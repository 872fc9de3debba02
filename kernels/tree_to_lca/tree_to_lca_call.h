// A checked call of tree_to_lca, as plain numbers and pointers, and one event of it.
#pragma once
#include "lib/math/philox.h"
#include "core/named_call.h"
#include "tree_to_lca/tree_to_lca.h"

namespace upsilon {

inline constexpr OperationLine tree_to_lca_line{"tree_to_lca", UPS_TREE_TO_LCA_SCHEMA};
using TreeToLcaCall = CallOf<tree_to_lca_line>;

struct TreeToLca {
  int64_t nodes, events, entries;
  const int32_t *mother, *offsets, *stage;  // stage may be null
  int32_t *leaf_offsets, *lca;

  explicit TreeToLca(const TreeToLcaCall& call)
      : nodes(call.dim("N")), events(call.dim("B")), entries(call.dim("P")), mother(call["mother"]),
        offsets(call["offsets"]), stage(call["stage"]), leaf_offsets(call["leaf_offsets"]), lca(call["lca"]) {}
};

// Numbers, stages and matrix of one event's leaves.
struct TreeEvent {
  const int32_t *mother, *given_stage;  // of the event; given_stage may be null
  int64_t nodes;
  int32_t *stage, *leaves;  // [nodes]

  // Finds the leaves and stages; returns the number of leaves.
  UPS_HD int64_t prepare() const {
    for (int64_t i = 0; i < nodes; ++i) stage[i] = 0;
    for (int64_t i = 0; i < nodes; ++i)
      for (int32_t node = mother[i], level = 1; node >= 0; node = mother[node], ++level)
        stage[node] = level > stage[node] ? level : stage[node];
    int64_t count = 0;
    for (int64_t i = 0; i < nodes; ++i)
      if (stage[i] == 0) leaves[count++] = static_cast<int32_t>(i);
    for (int64_t i = 0; given_stage && i < nodes; ++i) stage[i] = given_stage[i];
    return count;
  }
  UPS_HD bool is_above(int32_t node, int32_t leaf) const {
    while (leaf >= 0 && leaf != node) leaf = mother[leaf];
    return leaf == node;
  }
  // Entry of two leaves.
  UPS_HD int32_t common(int32_t i, int32_t j) const {
    if (i == j) return 0;
    int32_t node = mother[i];
    while (node >= 0 && !is_above(node, j)) node = mother[node];
    return node < 0 ? 0 : stage[node];
  }
};

}  // namespace upsilon
