/* matched_loss: the loss of matched pairs, for set prediction: which prediction stands for which
 * target was decided by linear_sum_assignment, so that the order of a set does not matter (N.
 * Carion et al., arXiv:2005.12872, section 3.1).
 *
 * pair_loss has one matrix of rows by columns per event, row by row, one event after the other.
 * With the pairs (i, j) of all events, that is column_of_row[i] = j and row_of_column[j] = i,
 * numbers inside their event, and the rows i without a partner (of those inside events),
 *   sum   sum of pair_loss[i, j] over pairs
 *         + unmatched_weight * sum of unmatched[i] over rows without a partner
 *   mean  the same divided by
 *         the number of pairs + unmatched_weight * the number of rows without a partner
 * where the second terms are there when `unmatched` is. The mean of nothing is 0. An event whose
 * status is not 0 has no assignment: the loss is NaN. Columns without a partner have no term. Pairs
 * whose entry lies beyond the P entries of pair_loss are ignored.
 *
 * The gradient of pair_loss is 0 except at the pairs: the assignment is not differentiated. Sums
 * are float64, by event and in the order of rows: the same bits for any number of threads. */
#ifndef UPSILON_OPS_MATCHED_LOSS_H
#define UPSILON_OPS_MATCHED_LOSS_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_MATCHED_LOSS_INPUTS_SCHEMA                                                                             \
  "pair_loss: real[P], row_offsets: i32[B+1] splits R, column_offsets: i32[B+1] splits C, column_of_row: i32[R], " \
  "row_of_column: i32[C], status: i32[B], unmatched?: real[R]"
#define UPS_MATCHED_LOSS_OPTIONS_SCHEMA "; reduction: mean|sum, unmatched_weight: f32 = 1"
#define UPS_MATCHED_LOSS_FORWARD_SCHEMA \
  UPS_MATCHED_LOSS_INPUTS_SCHEMA " -> loss: real[1]" UPS_MATCHED_LOSS_OPTIONS_SCHEMA
#define UPS_MATCHED_LOSS_BACKWARD_SCHEMA \
  UPS_MATCHED_LOSS_INPUTS_SCHEMA         \
  ", dloss: real[1] -> dpair_loss?: real[P], dunmatched?: real[R]" UPS_MATCHED_LOSS_OPTIONS_SCHEMA

typedef enum ups_loss_reduction { UPS_REDUCTION_MEAN, UPS_REDUCTION_SUM } ups_loss_reduction;

typedef struct ups_matched_loss_options {
  size_t size UPS_DEFAULT(sizeof(ups_matched_loss_options)); /* of this struct; 0: all defaults */
  int32_t reduction UPS_DEFAULT(0); /* ups_loss_reduction */
  float unmatched_weight UPS_DEFAULT(1);
} ups_matched_loss_options;

UPS_API ups_status ups_matched_loss_forward(ups_context* context, const ups_tensor* pair_loss,
                                            const ups_tensor* row_offsets, const ups_tensor* column_offsets,
                                            const ups_tensor* column_of_row, const ups_tensor* row_of_column,
                                            const ups_tensor* status, const ups_tensor* unmatched, ups_tensor* loss,
                                            const ups_matched_loss_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_matched_loss_backward(ups_context* context, const ups_tensor* pair_loss,
                                             const ups_tensor* row_offsets, const ups_tensor* column_offsets,
                                             const ups_tensor* column_of_row, const ups_tensor* row_of_column,
                                             const ups_tensor* status, const ups_tensor* unmatched,
                                             const ups_tensor* dloss, ups_tensor* dpair_loss, ups_tensor* dunmatched,
                                             const ups_matched_loss_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
