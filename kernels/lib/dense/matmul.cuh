// Matrix products on the device, in tiles: C[rows, columns] = sum over depth of A B, float32 in and
// out.
//
// A block computes one tile of C. Tiles of A and B come to shared memory by cp.async, two stages in
// turn; the sums stay in registers. Three ways to multiply: fp32 (FMA), tf32 and bf16 (tensor
// cores, float32 sums). The depth runs in ascending order in every way, whatever the tile, so fp32
// bits do not depend on the tile.
//
// An operand lies in shared memory as it lies in global memory: `along` with the depth running
// fastest ([row][depth]), `across` with the rows (of A; the columns of B) running fastest
// ([depth][row]). The gaps between rows make the register loads below free of bank conflicts
// (across in bf16: two-way).
#pragma once
#include "lib/math/activation.cuh"
#include "lib/cuda/cuda.h"

namespace upsilon {

enum class Layout { along, across };

template <int rows_, int columns_, int depth_, int row_threads_, int column_threads_, int row_warps_, int column_warps_>
struct TileShape {
  static constexpr int rows = rows_, columns = columns_, depth = depth_;  // of one tile, and of one stage
  static constexpr int row_threads = row_threads_, column_threads = column_threads_;  // fp32
  static constexpr int row_warps = row_warps_, column_warps = column_warps_;  // tensor cores
  static constexpr int threads = row_threads * column_threads;
  static_assert(threads == 32 * row_warps * column_warps && depth % 16 == 0);
  static_assert(rows % (16 * row_warps) == 0 && columns % (8 * column_warps) == 0);
};

template <int precision>
UPS_HD constexpr int gap(Layout layout) {
  return (precision == UPS_BF16) == (layout == Layout::along) ? 8 : 4;
}
template <int precision>
UPS_HD constexpr int stride_of(Layout layout, int lines, int depth) {
  return (layout == Layout::along ? depth : lines) + gap<precision>(layout);
}
template <int precision>
UPS_HD constexpr int tile_floats(Layout layout, int lines, int depth) {
  return stride_of<precision>(layout, lines, depth) * (layout == Layout::along ? lines : depth);
}

// The sums of one block's tile in registers, by FMA: each thread has rows/row_threads x
// columns/column_threads.
template <class Shape, Layout layout_a, Layout layout_b>
class SumsByFma {
  static constexpr int own_rows = Shape::rows / Shape::row_threads,
                       own_columns = Shape::columns / Shape::column_threads;
  static_assert(own_rows % 4 == 0 && own_columns % 4 == 0);
  // Steps of depth that are in registers at once; more would spill where a line's steps do not come
  // in one vector.
  static constexpr int steps = layout_a == Layout::along && layout_b == Layout::along ? 4 : 2;
  using Steps = std::conditional_t<steps == 4, float4, float2>;

  // Along: every row_threads-th line, so that neighbouring threads read neighbouring lines. Across:
  // groups of four neighbouring lines, read as one vector.
  template <Layout layout, int line_threads>
  UPS_ON_DEVICE static int line(int thread, int own) {
    return layout == Layout::along ? thread + line_threads * own : 4 * thread + 4 * line_threads * (own / 4) + own % 4;
  }
  // A few steps of depth of Count own lines: values[own][step].
  template <Layout layout, int line_threads, int Count>
  UPS_ON_DEVICE static void fetch(const float* tile, int stride, int thread, int first_own, int k,
                                  float (&values)[Count][steps]) {
    if constexpr (layout == Layout::along) {
      UPS_UNROLL
      for (int own = 0; own < Count; ++own) {
        const auto v =
            *reinterpret_cast<const Steps*>(tile + line<layout, line_threads>(thread, first_own + own) * stride + k);
        values[own][0] = v.x, values[own][1] = v.y;
        if constexpr (steps == 4) values[own][2] = v.z, values[own][3] = v.w;
      }
    } else {
      UPS_UNROLL
      for (int step = 0; step < steps; ++step) UPS_UNROLL
      for (int own = 0; own < Count; own += 4) {
        const float4 v = *reinterpret_cast<const float4*>(tile + (k + step) * stride +
                                                          line<layout, line_threads>(thread, first_own + own));
        values[own][step] = v.x, values[own + 1][step] = v.y, values[own + 2][step] = v.z, values[own + 3][step] = v.w;
      }
    }
  }

  float sums_[own_rows][own_columns];

 public:
  UPS_ON_DEVICE void clear() {
    UPS_UNROLL
    for (int r = 0; r < own_rows; ++r) UPS_UNROLL
    for (int c = 0; c < own_columns; ++c) sums_[r][c] = 0.0f;
  }

  // Adds the products over one stage of depth.
  UPS_ON_DEVICE void add(const float* a, int a_stride, const float* b, int b_stride) {
    const int thread = static_cast<int>(threadIdx.x);
    const int row_thread = thread / Shape::column_threads, column_thread = thread % Shape::column_threads;
    constexpr int rows_at_once = layout_a == Layout::along ? 1 : 4;
    UPS_NO_UNROLL
    for (int k = 0; k < Shape::depth; k += steps) {
      float of_b[own_columns][steps];
      fetch<layout_b, Shape::column_threads>(b, b_stride, column_thread, 0, k, of_b);
      UPS_UNROLL
      for (int r = 0; r < own_rows; r += rows_at_once) {
        float of_a[rows_at_once][steps];
        fetch<layout_a, Shape::row_threads>(a, a_stride, row_thread, r, k, of_a);
        UPS_UNROLL
        for (int step = 0; step < steps; ++step) UPS_UNROLL
        for (int i = 0; i < rows_at_once; ++i) UPS_UNROLL
        for (int c = 0; c < own_columns; ++c) sums_[r + i][c] += of_a[i][step] * of_b[c][step];
      }
    }
  }

  template <class Visit>
  UPS_ON_DEVICE void each(Visit visit) const {
    const int thread = static_cast<int>(threadIdx.x);
    UPS_UNROLL
    for (int r = 0; r < own_rows; ++r) UPS_UNROLL
    for (int c = 0; c < own_columns; ++c)
      visit(line<layout_a, Shape::row_threads>(thread / Shape::column_threads, r),
            line<layout_b, Shape::column_threads>(thread % Shape::column_threads, c), sums_[r][c]);
  }
};

// The same by tensor cores: each warp has a part of the tile, in fragments of 16 x 8
// (cuda/portable/fragments.h).
template <class Shape, int precision, Layout layout_a, Layout layout_b>
class SumsByMma {
  static constexpr int warp_rows = Shape::rows / Shape::row_warps, warp_columns = Shape::columns / Shape::column_warps;
  static constexpr int row_fragments = warp_rows / 16, column_fragments = warp_columns / 8;
  static constexpr bool bf16 = precision == UPS_BF16;
  static constexpr int mma_depth = bf16 ? 16 : 8;
  using FragmentA = std::conditional_t<bf16, ups::FragA_bf16, ups::FragA_tf32>;
  using FragmentB = std::conditional_t<bf16, ups::FragB_bf16, ups::FragB_tf32>;

  template <Layout layout>
  UPS_ON_DEVICE static float at(const float* tile, int stride, int line, int k) {
    return layout == Layout::along ? tile[line * stride + k] : tile[k * stride + line];
  }
  // What a fragment's register holds of a line: one number, or two neighbours in depth.
  template <Layout layout>
  UPS_ON_DEVICE static uint32_t packed(const float* tile, int stride, int line, int k) {
    if constexpr (!bf16) return ups::to_tf32(at<layout>(tile, stride, line, k));
    else if constexpr (layout == Layout::along) {
      const float2 pair = *reinterpret_cast<const float2*>(tile + line * stride + k);
      return ups::pack(ups::to_bf16(pair.x), ups::to_bf16(pair.y));
    } else {
      return ups::pack(ups::to_bf16(at<layout>(tile, stride, line, k)),
                       ups::to_bf16(at<layout>(tile, stride, line, k + 1)));
    }
  }

  ups::FragC sums_[row_fragments][column_fragments];

 public:
  UPS_ON_DEVICE void clear() {
    UPS_UNROLL
    for (int r = 0; r < row_fragments; ++r) UPS_UNROLL
    for (int c = 0; c < column_fragments; ++c) UPS_UNROLL
    for (int i = 0; i < 4; ++i) sums_[r][c].r[i] = 0.0f;
  }

  UPS_ON_DEVICE void add(const float* a, int a_stride, const float* b, int b_stride) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int group = lane / 4, pair = lane % 4 * (bf16 ? 2 : 1);
    const int first_row = warp / Shape::column_warps * warp_rows,
              first_column = warp % Shape::column_warps * warp_columns;
    UPS_UNROLL
    for (int k = 0; k < Shape::depth; k += mma_depth) {
      FragmentB of_b[column_fragments];
      UPS_UNROLL
      for (int c = 0; c < column_fragments; ++c) UPS_UNROLL
      for (int i = 0; i < 2; ++i)
        of_b[c].r[i] = packed<layout_b>(b, b_stride, first_column + 8 * c + group, k + pair + i * (mma_depth / 2));
      UPS_UNROLL
      for (int r = 0; r < row_fragments; ++r) {
        FragmentA of_a;
        UPS_UNROLL
        for (int i = 0; i < 4; ++i)
          of_a.r[i] = packed<layout_a>(a, a_stride, first_row + 16 * r + group + 8 * (i % 2),
                                       k + pair + i / 2 * (mma_depth / 2));
        UPS_UNROLL
        for (int c = 0; c < column_fragments; ++c) ups::mma(sums_[r][c], of_a, of_b[c]);
      }
    }
  }

  template <class Visit>
  UPS_ON_DEVICE void each(Visit visit) const {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int group = lane / 4, pair = lane % 4;
    const int first_row = warp / Shape::column_warps * warp_rows,
              first_column = warp % Shape::column_warps * warp_columns;
    UPS_UNROLL
    for (int r = 0; r < row_fragments; ++r) UPS_UNROLL
    for (int c = 0; c < column_fragments; ++c) UPS_UNROLL
    for (int i = 0; i < 4; ++i)
      visit(first_row + 16 * r + group + 8 * (i / 2), first_column + 8 * c + 2 * pair + i % 2, sums_[r][c].r[i]);
  }
};

template <class Shape, int precision, Layout layout_a, Layout layout_b>
using Sums = std::conditional_t<precision == UPS_FP32, SumsByFma<Shape, layout_a, layout_b>,
                                SumsByMma<Shape, precision, layout_a, layout_b>>;

// One operand in global memory: element (line, k) lies at line * stride + k (along) or k * stride +
// line (across).
struct Operand {
  const float* data;
  int64_t stride, lines;
  bool by_vectors;  // four neighbours are aligned to 16 bytes and exist or miss together
};

inline Operand operand(const float* data, int64_t stride, int64_t lines, int64_t fastest) {
  return {data, stride, lines, reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride % 4 == 0 && fastest % 4 == 0};
}

// Starts the copy of a tile to shared memory; what lies outside becomes 0. first_depth is a
// multiple of 4.
template <Layout layout, int lines, int depth, int stride, int threads>
UPS_ON_DEVICE void fetch_tile(float* tile, const Operand& from, int64_t first_line, int64_t first_depth,
                              int64_t end_depth) {
  constexpr int fastest = layout == Layout::along ? depth : lines;
  const auto copy = [&](auto width, int unit) {
    constexpr int floats = decltype(width)::value;
    const int slow = unit / (fastest / floats), fast = unit % (fastest / floats) * floats;
    const int64_t line = first_line + (layout == Layout::along ? slow : fast);
    const int64_t k = first_depth + (layout == Layout::along ? fast : slow);
    const bool wanted = line < from.lines && k < end_depth;
    const int64_t at = layout == Layout::along ? line * from.stride + k : k * from.stride + line;
    ups::cp_async<4 * floats>(tile + slow * stride + fast, wanted ? from.data + at : from.data, wanted);
  };
  const int thread = static_cast<int>(threadIdx.x);
  if (from.by_vectors)
    for (int unit = thread; unit < lines * depth / 4; unit += threads) copy(std::integral_constant<int, 4>{}, unit);
  else
    for (int unit = thread; unit < lines * depth; unit += threads) copy(std::integral_constant<int, 1>{}, unit);
}

// Hands every element of a block's tile to store(row, column, sum), neighbouring threads having
// neighbouring columns. `staging` has room for staged_rows * (columns + 4) floats and is used by
// nothing else meanwhile.
inline constexpr int staged_rows = 32;
template <class Shape, class BlockSums, class Store>
UPS_ON_DEVICE void store_tile(const BlockSums& sums, float* staging, Store store) {
  constexpr int stride = Shape::columns + 4;
  for (int first = 0; first < Shape::rows; first += staged_rows) {
    __syncthreads();
    sums.each([&](int row, int column, float sum) {
      if (row >= first && row < first + staged_rows) staging[(row - first) * stride + column] = sum;
    });
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < staged_rows * Shape::columns; i += Shape::threads) {
      const int row = i / Shape::columns, column = i % Shape::columns;
      store(first + row, column, staging[row * stride + column]);
    }
  }
}

template <class Shape>
constexpr int staging_floats = staged_rows * (Shape::columns + 4);

}  // namespace upsilon
