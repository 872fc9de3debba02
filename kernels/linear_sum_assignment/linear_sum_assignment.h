/* linear_sum_assignment: for every problem the pairs of rows and columns, each used once, with the
 * smallest sum of costs.
 *
 * Problem b of B has the rows row_offsets[b] .. row_offsets[b+1], the columns column_offsets[b] ..
 * column_offsets[b+1], and r_b x c_b costs, row by row, behind those of the problems before it.
 * min(r_b, c_b) pairs are formed. A cost of +inf forbids a pair. With `maximize` the largest sum is
 * sought, and -inf forbids.
 *
 * column_of_row and row_of_column: numbers inside the problem, -1 where there is no partner. rows
 * and columns: the same as pairs by increasing row, those of problem b from pair_offsets[b] on, as
 * scipy.optimize.linear_sum_assignment gives them; P must be at least the sum of min(r_b, c_b).
 * total: the sum of the pairs' costs in the order of rows. u and v: dual variables. u_i + v_j <=
 * cost_ij, equal for pairs; of the longer side they are <= 0, and 0 where there is no partner; so
 * total = sum u + sum v is the proof that no smaller one exists (all signs turned with `maximize`).
 *
 * Shortest augmenting paths (R. Jonker, A. Volgenant, Computing 38, 325 (1987)) for rectangular
 * matrices (D. Crouse, IEEE Trans. Aerosp. Electron. Syst. 52, 1679 (2016)), O(min² max) at most.
 * Among several best answers it is scipy's: columns are examined in scipy's order and all sums are
 * the same float64 ones, of float32 costs too. So the same answer on every device, for any number
 * of threads and any batching.
 *
 * status (ups_assignment_status) is by problem: where it is not 0, partners and pairs are -1, total
 * and duals NaN. A problem without rows or columns has the total 0. Entries behind the last problem
 * are ignored; rows and columns in no problem get -1 and NaN. */
#ifndef UPSILON_OPS_LINEAR_SUM_ASSIGNMENT_H
#define UPSILON_OPS_LINEAR_SUM_ASSIGNMENT_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_LINEAR_SUM_ASSIGNMENT_SCHEMA                                                                   \
  "cost: real[N], row_offsets: i32[B+1] splits R, column_offsets: i32[B+1] splits C -> "                   \
  "column_of_row: i32[R], row_of_column: i32[C], total: f64[B], status: i32[B], pair_offsets?: i32[B+1], " \
  "rows?: i32[P], columns?: i32[P], u?: f64[R], v?: f64[C]; maximize: bool = false"

typedef enum ups_assignment_status {
  UPS_ASSIGNMENT_OPTIMAL,
  UPS_ASSIGNMENT_INFEASIBLE, /* forbidden pairs leave no complete assignment */
  UPS_ASSIGNMENT_INVALID, /* a cost is NaN, or infinite on the side that forbids nothing */
  UPS_ASSIGNMENT_MISSING /* N or P ends before the problem does */
} ups_assignment_status;

typedef struct ups_linear_sum_assignment_options {
  size_t size UPS_DEFAULT(sizeof(ups_linear_sum_assignment_options)); /* of this struct; 0: all defaults */
  int32_t maximize UPS_DEFAULT(0); /* 0 or 1 */
} ups_linear_sum_assignment_options;

/* pair_offsets, rows and columns are given together or not at all. */
UPS_API ups_status ups_linear_sum_assignment(ups_context* context, const ups_tensor* cost,
                                             const ups_tensor* row_offsets, const ups_tensor* column_offsets,
                                             ups_tensor* column_of_row, ups_tensor* row_of_column, ups_tensor* total,
                                             ups_tensor* status, ups_tensor* pair_offsets, ups_tensor* rows,
                                             ups_tensor* columns, ups_tensor* u, ups_tensor* v,
                                             const ups_linear_sum_assignment_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
