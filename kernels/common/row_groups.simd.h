// Sums over all rows whose bits depend on the shape only, not on the threads: rows are cut into fixed chunks, chunks are
// dealt to a fixed number of groups, each group adds into a sum of its own, and add_in_order (common/sums.simd.h) joins
// the groups in their order. Read after common/matmul.simd.h.

UPS_SIMD_BEGIN

struct RowGroups {
  static constexpr int64_t most = 16, most_sum_floats = int64_t{2} << 20;

  int64_t rows = 0, chunk_rows = 1, chunks = 0, count = 1;

  RowGroups() = default;
  // sum_floats: the length of one group's sum.
  RowGroups(int64_t rows_, int64_t chunk_rows_, int64_t sum_floats) : rows(rows_), chunk_rows(chunk_rows_) {
    chunks = ceil_div(rows, chunk_rows);
    count = std::max<int64_t>(1, std::min({chunks, most, most_sum_floats / std::max<int64_t>(sum_floats, 1)}));
  }
  // Calls body(first row, rows) for each chunk of a group.
  template <class Body>
  void each_chunk(int64_t group, Body&& body) const {
    const int64_t end = chunks * (group + 1) / count;
    for (int64_t chunk = chunks * group / count; chunk < end; ++chunk)
      body(chunk * chunk_rows, std::min(chunk_rows, rows - chunk * chunk_rows));
  }
};

// dweight[outputs, inputs] += dz[rows, outputs]^T x[rows, inputs]; packed_x has room for packed_size(rows, inputs).
inline void add_weight_gradient(const float* dz, int64_t outputs, const float* x, int64_t inputs, int64_t rows,
                                float* packed_x, float* dweight) {
  for (int64_t panel = 0; panel < panels(inputs); ++panel) pack_panel(x, inputs, rows, inputs, panel, packed_x);
  multiply(Order::columns, dz, outputs, outputs, packed_x, rows, inputs, dweight, inputs, {nullptr, true, false});
}

UPS_SIMD_END
