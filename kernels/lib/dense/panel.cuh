// Layers whose input rows are made in shared memory: a block fills a panel of rows (gathered from a
// graph, or the layer before), then multiplies it with a weight that streams by in tiles. The rows
// never go through global memory.
#pragma once
#include "lib/dense/matmul.cuh"

namespace upsilon {

// 64 rows a block. Panels of up to this many bytes leave room for two blocks on a multiprocessor.
using PanelTile = TileShape<64, 64, 16, 16, 8, 2, 2>;
inline constexpr int64_t max_panel_bytes = 100 * 1024;
inline constexpr int panel_blocks = 4;  // of a multiprocessor, as far as registers go: more would spill

// Floats between the rows of a panel whose depth is padded to full stages: free of bank conflicts.
template <int precision>
UPS_HD constexpr int64_t panel_stride(int64_t padded_depth) {
  return (padded_depth + 31) / 32 * 32 + gap<precision>(Layout::along);
}
template <class Shape>
UPS_HD constexpr int64_t padded_depth(int64_t depth) {
  return (depth + Shape::depth - 1) / Shape::depth * Shape::depth;
}
inline int64_t panel_bytes(int64_t padded_depth) {
  return PanelTile::rows * panel_stride<UPS_BF16>(padded_depth) * static_cast<int64_t>(sizeof(float));
}

// Shared memory besides the panels: two stages of the weight, and the staging of the results.
template <class Shape, int precision>
struct PanelMemory {
  static constexpr int stage_floats = tile_floats<precision>(Layout::along, Shape::columns, Shape::depth);
  float4 stages[2 * stage_floats / 4];  // float4: for its alignment
  float4 staging[staging_floats<Shape> / 4];
};

// Hands every element (row, column, sum) of panel W^T to `store`, for the rows of the panel and
// columns up to the next full tile; the weight may lie either way. A weight of several parts
// (parent, self, daughters) has its own operand for each, all of depth `part_depth`; in the panel
// each part begins at a full stage. A barrier lies before the first look into the panel: it may
// have been filled just before, by whichever threads, also by the `store` of the layer before.
template <class Shape, int precision, Layout layout = Layout::along, int parts, class Store>
UPS_ON_DEVICE void multiply_panel(const float* panel, int stride, const Operand (&weights)[parts], int64_t part_depth,
                                  PanelMemory<Shape, precision>& memory, Store store) {
  using Memory = PanelMemory<Shape, precision>;
  constexpr int weight_stride = stride_of<precision>(layout, Shape::columns, Shape::depth);
  static_assert(tile_floats<precision>(layout, Shape::columns, Shape::depth) <= Memory::stage_floats);
  float* const stages = reinterpret_cast<float*>(memory.stages);
  const int stages_per_part = static_cast<int>(padded_depth<Shape>(part_depth) / Shape::depth);
  const int total = parts * stages_per_part;
  const auto part = [&](int wanted) {  // by selection: an index that varies would put the operands into local memory
    Operand chosen = weights[0];
    UPS_UNROLL
    for (int p = 1; p < parts; ++p)
      if (p == wanted) chosen = weights[p];
    return chosen;
  };
  for (int64_t first_column = 0; first_column < weights[0].lines; first_column += Shape::columns) {
    const auto fetch = [&](int number) {
      float* const tile = stages + number % 2 * Memory::stage_floats;
      const int64_t k = static_cast<int64_t>(number % stages_per_part) * Shape::depth;
      fetch_tile<layout, Shape::columns, Shape::depth, weight_stride, Shape::threads>(
          tile, part(number / stages_per_part), first_column, k, part_depth);
    };
    Sums<Shape, precision, Layout::along, layout> sums;
    sums.clear();
    if (total > 0) fetch(0);
    ups::cp_async_commit();
    for (int number = 0; number < total; ++number) {
      if (number + 1 < total) fetch(number + 1);
      ups::cp_async_commit();
      ups::cp_async_wait<1>();
      __syncthreads();
      sums.add(panel + number * Shape::depth, stride, stages + number % 2 * Memory::stage_floats, weight_stride);
      __syncthreads();
    }
    ups::cp_async_wait<0>();
    store_tile<Shape>(sums, reinterpret_cast<float*>(memory.staging),
                      [&](int row, int column, float sum) { store(row, first_column + column, sum); });
  }
}

}  // namespace upsilon
