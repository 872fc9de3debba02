/* spmm: sparse matrix times dense matrix, the sum over the neighbours in a graph.
 *
 * The matrix is CSR: row i holds the edges row_offsets[i] .. row_offsets[i+1], each with its source
 * node and, when given, its weight (otherwise 1). y[i, :] = sum over the edges of w_e x[source_e,
 * :]; an empty row gives 0. Backward needs the transposed matrix (graph_transpose): dx[j, :] = sum
 * over edges e leaving j of w_e dy[target_e, :]; dedge_weights[e] = <dy[target_e, :], x[source_e,
 * :]>, 0 for an edge in no row. x is needed for the latter. Sums run in the order of the edges: the
 * same bits for any number of threads. CUDA sums rows of more than 256 edges by pieces of 256, each
 * in order. */
#ifndef UPSILON_OPS_SPMM_H
#define UPSILON_OPS_SPMM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_SPMM_FORWARD_SCHEMA                                                                    \
  "row_offsets: i32[R+1] splits E, sources: i32[E] below N, edge_weights?: real[E], x: real[N, F]" \
  " -> y: real[R, F]"
#define UPS_SPMM_BACKWARD_SCHEMA                                                            \
  "transposed_offsets: i32[N+1] splits E, targets: i32[E] below R, edges: i32[E] below E, " \
  "edge_weights?: real[E], x: real[N, F], dy: real[R, F] -> dx?: real[N, F], dedge_weights?: real[E]"

UPS_API ups_status ups_spmm_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                    const ups_tensor* edge_weights, const ups_tensor* x, ups_tensor* y) UPS_NOEXCEPT;
UPS_API ups_status ups_spmm_backward(ups_context* context, const ups_tensor* transposed_offsets,
                                     const ups_tensor* targets, const ups_tensor* edges, const ups_tensor* edge_weights,
                                     const ups_tensor* x, const ups_tensor* dy, ups_tensor* dx,
                                     ups_tensor* dedge_weights) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
