/* lca_to_tree: decay trees from matrices of lowest common ancestors (J. Kahn et al., Mach. Learn.:
 * Sci. Technol. 3, 035012 (2022); the LCAS matrix of basf2's graFEI). tree_to_lca is the way back.
 *
 * An event with n leaves has n x n entries, row by row, one event after the other: entry (i, j) is
 * the stage, above 0, of the lowest common ancestor of the leaves i and j, and 0 where they have
 * none. The diagonal is not looked at. Stages are any numbers that increase from a daughter to her
 * mother: graFEI's classes (1 for pi0 ... 6 for Y(4S)), or generations.
 *
 * The result is the only forest with that matrix whose inner nodes have two daughters at least.
 * Event b has the nodes node_offsets[b] .. node_offsets[b+1]: its leaves in order, with stage 0,
 * then the inner nodes by stage, equal ones by their first leaf. mothers are numbers inside the
 * event, -1 for a root; behind the last node mothers and stages are -1. A matrix that no forest has
 * (not symmetric, negative, leaves joined at two stages) gives the status 1, a matrix that does not
 * fit into the P entries of lca the status 2; in both cases every leaf is a tree of its own. */
#ifndef UPSILON_OPS_LCA_TO_TREE_H
#define UPSILON_OPS_LCA_TO_TREE_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_LCA_TO_TREE_SCHEMA                                                                            \
  "lca: i32[P], leaf_offsets: i32[B+1] splits L -> mothers: i32[L, 2], stages: i32[L, 2], node_offsets: " \
  "i32[B+1], status: i32[B]"

typedef enum ups_lca_status { UPS_LCA_TREE, UPS_LCA_NO_TREE, UPS_LCA_MISSING } ups_lca_status;

UPS_API ups_status ups_lca_to_tree(ups_context* context, const ups_tensor* lca, const ups_tensor* leaf_offsets,
                                   ups_tensor* mothers, ups_tensor* stages, ups_tensor* node_offsets,
                                   ups_tensor* status) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
