/* knn_graph: the k nearest neighbours of every point inside its own event, as a graph in compressed
 * rows.
 *
 * Row i lists the neighbours of point i (numbers in the whole batch) by increasing distance; equal
 * distances come in the order of the points. K is the second dimension of `sources`. An event of n
 * points gives rows of min(K, n) neighbours with `loop` (a point is then a neighbour of itself, at
 * distance 0), of min(K, n - 1) without; points in no event get empty rows. Rows follow each other
 * without gaps; the unused end of `sources` is 0. Distances are exact enough to be told apart: they
 * are squared differences summed up in float64 (for float64 coordinates in long double, where the
 * squares of all of them are finite), in the order of the coordinates, so duplicates are at
 * distance 0 and every variant and batching gives the same graph. NaN and infinite coordinates are
 * refused. There is no gradient. */
#ifndef UPSILON_OPS_KNN_GRAPH_H
#define UPSILON_OPS_KNN_GRAPH_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_KNN_GRAPH_SCHEMA                         \
  "x: real[N, D] finite, offsets: i32[B+1] splits N" \
  " -> row_offsets: i32[N+1], sources: i32[N, K]; loop: bool = false"

typedef struct ups_knn_graph_options {
  size_t size UPS_DEFAULT(sizeof(ups_knn_graph_options)); /* of this struct; 0: all defaults */
  int32_t loop UPS_DEFAULT(0); /* 0 or 1 */
} ups_knn_graph_options;

/* At most 2^31 - 1 edges: N K must stay below. */
UPS_API ups_status ups_knn_graph(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                 ups_tensor* row_offsets, ups_tensor* sources,
                                 const ups_knn_graph_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
