// SIMD: a row's sum stays in registers while its edges pass. Floor: reading every source row once
// per edge from the cache level that holds x, or x, y and the indices once from memory. The
// gradient of the weights reads the same rows once more; they are then in cache.
#include "spmm/spmm.h"
#include "spmm/spmm_call.h"

#define UPS_SIMD_SOURCE "spmm/spmm.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/graph/aggregate.simd.h"
#include "lib/graph/edge_products.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t rows_per_task = 256;

ups_status run(const Call& call, const Spmm<float>& f) {
  Aggregation graph{f.row_offsets, f.sources, f.edge_ids, f.edge_weights};
  graph.edges = f.edges;
  const EdgeProducts products{f.row_offsets, f.sources, f.edge_ids, f.row_values, f.x, f.features, f.edges};
  clear(f.dedge_weights, f.edges);  // edges in no row
  call.threads->run(ceil_div(f.rows, rows_per_task), [&](int64_t task, int32_t) {
    const int64_t first = task * rows_per_task, rows = std::min(rows_per_task, f.rows - first);
    if (f.y) aggregate_rows(graph, first, rows, f.x, f.features, f.y + first * f.features);
    if (f.dedge_weights) multiply_edges(products, first, rows, f.dedge_weights);
  });
  return UPS_OK;
}

ups_status forward(const Call& call) { return run(call, SpmmForward<float>(call)); }
ups_status backward(const Call& call) { return run(call, SpmmBackward<float>(call)); }

UPS_CPU_VARIANT(forward, SpmmForwardCall, forward)
UPS_CPU_VARIANT(backward, SpmmBackwardCall, backward)

UPS_SIMD_END
