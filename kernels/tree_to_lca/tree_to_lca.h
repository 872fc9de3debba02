/* tree_to_lca: decay trees as matrices of lowest common ancestors, as lca_to_tree reads them.
 *
 * Leaves of an event are its nodes without daughters, in order; those of event b are the leaves
 * leaf_offsets[b] .. leaf_offsets[b+1], counted from 0. Of n leaves the matrix has n x n entries,
 * row by row, one event after the other: the stage of the lowest common ancestor of two leaves, 0
 * where they have none and on the diagonal. Without `stage` it is the generation: 0 of a leaf, 1
 * more than its highest daughter's otherwise. P must be the sum of the matrices' sizes; entries of
 * a matrix that does not fit are 0, and so are those behind the last. */
#ifndef UPSILON_OPS_TREE_TO_LCA_H
#define UPSILON_OPS_TREE_TO_LCA_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_TREE_TO_LCA_SCHEMA                                                                  \
  "offsets: i32[B+1] splits N, mother: i32[N] forest offsets, stage?: i32[N] -> leaf_offsets: " \
  "i32[B+1], lca: i32[P]"

UPS_API ups_status ups_tree_to_lca(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                                   const ups_tensor* stage, ups_tensor* leaf_offsets, ups_tensor* lca) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
