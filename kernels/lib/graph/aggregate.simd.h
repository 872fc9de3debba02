// Sums over the edges of a CSR graph: y_i = t_i (sum over edges e of row i of w_e s_source(e)
// x_source(e) + loop_i s_i x_i). Compiled in lib/graph/aggregate.cpu.cc.
#if defined(UPS_LIB_GRAPH_AGGREGATE_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_GRAPH_AGGREGATE_SIMD_H
#undef UPS_LIB_GRAPH_AGGREGATE_SIMD_H
#else
#define UPS_LIB_GRAPH_AGGREGATE_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

struct Aggregation {
  const int32_t *row_offsets, *sources;
  const int32_t* edge_ids = nullptr;  // where an edge's weight lies; null: at the edge itself
  const float* edge_weights = nullptr;  // null: 1
  const float* source_scale = nullptr;  // s, per node; null: 1
  const float* target_scale = nullptr;  // t, per row; null: 1
  const float* loop = nullptr;  // null: no loops; otherwise edges from i to i are left out and the loop is added last
  int64_t edges = 0;  // row_offsets never reach beyond
  const float* relu_of = nullptr;  // values behind a relu, shaped like x: x is taken times the relu's slope there
};

// y[r, :] for the rows first .. first + rows; y points to the first of them.
void aggregate_rows(const Aggregation& graph, int64_t first, int64_t rows, const float* x, int64_t features, float* y);

UPS_SIMD_SHARED_END

#endif
