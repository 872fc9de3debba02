// SIMD: rows are copied, or added, in vectors. Floor: memory, 4 (E + F) bytes written per row and
// as many read (the table's rows from cache where it fits).
#include "embedding/embedding.h"
#include "embedding/embedding_call.h"

#define UPS_SIMD_SOURCE "embedding/embedding.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_floats = 32768;

// Calls body(row) for all rows, in tasks of about task_floats floats.
template <class Body>
void each_row(Threads& threads, int64_t rows, int64_t row_floats, Body&& body) {
  const int64_t task_rows = std::clamp<int64_t>(task_floats / std::max<int64_t>(row_floats, 1), 16, 4096);
  threads.run(ceil_div(rows, task_rows), [&](int64_t task, int32_t) {
    const int64_t end = std::min(rows, (task + 1) * task_rows);
    for (int64_t row = task * task_rows; row < end; ++row) body(row);
  });
}

ups_status forward(const Call& call) {
  const EmbeddingForward<float> f(call);
  const int64_t row_floats = f.width + f.appended;
  each_row(*call.threads, f.rows, row_floats, [&](int64_t row) {
    float* y = f.y + row * row_floats;
    copy_row(f.table + f.indices[row] * f.width, f.width, y);
    copy_row(f.append + row * f.appended, f.appended, y + f.width);
  });
  return UPS_OK;
}

// The table's gradient. A table that is small against the rows (particle species) gets one sum per
// group of rows, each row added where its index says, and the groups are joined in order: every
// element of dy is read once, in order. Copies of a large table would cost more than the rows:
// there, tasks own ranges of its entries, and each goes through all indices, adding the rows that
// are its own. Either way the order of the sums depends on the shapes only.
constexpr int64_t max_ranges = 16, min_chunk_rows = 1024;

struct TableSums {
  int64_t rows_of_chunk;
  GroupSums groups;

  // A group's rows must outweigh the clearing and joining of its sum.
  TableSums(const EmbeddingBackward<float>& f, WorkspaceLayout& workspace)
      : rows_of_chunk(std::max(min_chunk_rows, 2 * f.entries)),
        groups(ceil_div(f.rows, rows_of_chunk), f.entries * f.width, workspace) {}
  static bool needed(const EmbeddingBackward<float>& f) { return f.dtable != nullptr; }
};

void sum_by_groups(Threads& threads, const EmbeddingBackward<float>& f, const TableSums& sums) {
  const int64_t row_floats = f.width + f.appended;
  sums.groups.run(threads, [&](int64_t chunk, float* table, int32_t) {
    const int64_t first = chunk * sums.rows_of_chunk, end = std::min(f.rows, first + sums.rows_of_chunk);
    for (int64_t row = first; row < end; ++row)
      add_row(f.dy + row * row_floats, f.width, table + f.indices[row] * f.width);
  });
  sums.groups.total(threads, 0, f.entries * f.width, f.dtable);
}

void sum_by_ranges(Threads& threads, const EmbeddingBackward<float>& f) {
  const int64_t row_floats = f.width + f.appended;
  fill_zero(threads, f.dtable, f.entries * f.width);
  // Few rows are not worth a second look at the indices.
  const int64_t ranges = std::clamp<int64_t>(f.rows * f.width / task_floats, 1, max_ranges);
  threads.run(ranges, [&](int64_t range, int32_t) {
    const int64_t first = f.entries * range / ranges, end = f.entries * (range + 1) / ranges;
    for (int64_t row = 0; row < f.rows; ++row) {
      const int64_t entry = f.indices[row];
      if (entry >= first && entry < end) add_row(f.dy + row * row_floats, f.width, f.dtable + entry * f.width);
    }
  });
}

ups_status backward(const Call& call) {
  const EmbeddingBackward<float> f(call);
  Threads& threads = *call.threads;
  if (f.dtable) {
    const auto sums = scratch_of<TableSums>(call, f);
    if (sums.groups.groups > 1) sum_by_groups(threads, f, sums);
    else sum_by_ranges(threads, f);
  }
  if (f.dappend) {
    const int64_t row_floats = f.width + f.appended;
    each_row(threads, f.rows, f.appended, [&](int64_t row) {
      copy_row(f.dy + row * row_floats + f.width, f.appended, f.dappend + row * f.appended);
    });
  }
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, EmbeddingForwardCall, forward)
UPS_CPU_VARIANT(backward, EmbeddingBackwardCall, backward, workspace_of<EmbeddingBackward<float>, TableSums>)

UPS_SIMD_END
