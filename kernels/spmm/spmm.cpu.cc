// SIMD: a row's sum stays in registers while its edges pass. Floor: reading every source row once per edge from the
// cache level that holds x, or x, y and the indices once from memory.
#include "spmm/spmm.h"
#include "spmm/spmm_call.h"

#define UPS_SIMD_SOURCE "spmm/spmm.cpu.cc"
#include "common/each_isa.h"
#include "common/aggregate.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t rows_per_task = 256;

ups_status run(const Call& call, const Spmm<float>& f) {
  Aggregation graph{f.row_offsets, f.sources, f.edge_ids, f.edge_weights};
  graph.edges = f.edges;
  call.threads->run(ceil_div(f.rows, rows_per_task), [&](int64_t task, int32_t) {
    const int64_t first = task * rows_per_task;
    aggregate_rows(graph, first, std::min(rows_per_task, f.rows - first), f.x, f.features, f.y + first * f.features);
  });
  return UPS_OK;
}

ups_status forward(const Call& call) { return run(call, Spmm<float>::forward(call)); }
ups_status backward(const Call& call) { return run(call, Spmm<float>::backward(call)); }

UPS_CPU_VARIANT(forward, "spmm_forward", forward)
UPS_CPU_VARIANT(backward, "spmm_backward", backward)

UPS_SIMD_END
