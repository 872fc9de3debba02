// A checked call of lca_to_tree, as plain numbers and pointers, and one event of it.
#pragma once
#include "lib/segments/pair_matrices.h"
#include "core/named_call.h"
#include "lca_to_tree/lca_to_tree.h"

namespace upsilon {

inline constexpr OperationLine lca_to_tree_line{"lca_to_tree", UPS_LCA_TO_TREE_SCHEMA};
using LcaToTreeCall = CallOf<lca_to_tree_line>;

struct LcaToTree {
  int64_t leaves;
  PairMatrices matrices;
  const int32_t *lca, *leaf_offsets;
  int32_t *mothers, *stages, *node_offsets, *status;

  explicit LcaToTree(const LcaToTreeCall& call)
      : leaves(call.dim("L")), matrices{call.dim("B"), call.dim("P"), call["leaf_offsets"], call["leaf_offsets"]},
        lca(call["lca"]), leaf_offsets(call["leaf_offsets"]), mothers(call["mothers"]), stages(call["stages"]),
        node_offsets(call["node_offsets"]), status(call["status"]) {}
};

// Scratch and result of one event; nodes are at most 2 x leaves.
struct LcaEvent {
  const int32_t* lca;
  int64_t leaves;
  int32_t *mother, *stage;
  int32_t *top, *members;  // [leaves]: the highest node so far above each leaf; the leaves of the node being made

  UPS_HD int32_t at(int64_t i, int64_t j) const { return lca[i * leaves + j]; }

  // The least entry above `stage`, 0 for none; -1 when an entry is negative.
  UPS_HD int32_t next_stage(int32_t after) const {
    int32_t least = 0, any_negative = 0;
    for (int64_t i = 0; i < leaves; ++i)
      for (int64_t j = 0; j < leaves; ++j) {
        const int32_t value = i == j ? 0 : at(i, j);
        any_negative |= value < 0;
        least = value > after && (least == 0 || value < least) ? value : least;
      }
    return any_negative ? -1 : least;
  }

  UPS_HD void stand_alone() const {
    for (int64_t i = 0; i < leaves; ++i) {
      mother[i] = -1;
      stage[i] = 0;
      top[i] = static_cast<int32_t>(i);
    }
  }

  // The number of nodes, 0 when there is no such tree. Every pair of leaves is looked at when it is
  // joined, that is once at the node that is to be its lowest common ancestor, and at the end when
  // it never was.
  UPS_HD int64_t build() const {
    stand_alone();
    int64_t nodes = leaves;
    for (int32_t level = 0; (level = next_stage(level)) != 0;) {
      if (level < 0) return 0;
      const int64_t before = nodes;
      for (int64_t first = 0; first < leaves; ++first) {
        if (top[first] >= before) continue;  // joined at this stage already
        int64_t count = 0;
        bool joins = false;
        for (int64_t j = first; j < leaves; ++j) {
          const int32_t value = at(first, j);
          if (j != first && (value == 0 || value > level)) continue;
          joins |= j != first && value == level;
          members[count++] = static_cast<int32_t>(j);
        }
        if (!joins) continue;
        if (nodes == 2 * leaves || !joined_at(level, count)) return 0;
        const auto node = static_cast<int32_t>(nodes++);
        mother[node] = -1;
        stage[node] = level;
        for (int64_t k = 0; k < count; ++k) {
          int32_t& highest = top[members[k]];
          mother[highest] = node;
          highest = node;
        }
      }
      if (nodes == before) return 0;
    }
    for (int64_t i = 0; i < leaves; ++i)
      for (int64_t j = 0; j < leaves; ++j)
        if (top[i] != top[j] && at(i, j) != 0) return 0;
    return nodes;
  }

 private:
  UPS_HD bool joined_at(int32_t level, int64_t count) const {
    int32_t wrong = 0;
    for (int64_t k = 0; k < count; ++k)
      for (int64_t l = 0; l < count; ++l)
        wrong |= top[members[k]] != top[members[l]] && at(members[k], members[l]) != level;
    return wrong == 0;
  }
};

}  // namespace upsilon
