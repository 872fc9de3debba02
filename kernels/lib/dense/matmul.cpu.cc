#define UPS_SIMD_SOURCE "lib/dense/matmul.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/matmul.simd.h"
#include "lib/simd/transpose.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

constexpr int panel_vectors = panel_columns / lanes;
constexpr int64_t depth_slice = 256;  // 256 x panel_columns floats: 16 KiB (AVX2) or 32 KiB (AVX-512)
constexpr int64_t pack_ahead = 64;

// Hands out the lines of an Ahead, as many at a time as a tile has steps.
class Lines {
 public:
  explicit Lines(const Ahead& ahead) : ahead_(ahead) {}
  // Lines from `first` on, `step` bytes apart; once all are handed out, over and over the one at
  // `otherwise`, so that a tile need not ask.
  struct Run {
    const char* first;
    int64_t step;
  };
  Run next(int64_t count, const float* otherwise) {
    for (; area_ < Ahead::areas; ++area_, taken_ = 0)
      if (taken_ < ahead_.floats[area_]) {
        const float* first = ahead_.from[area_] + taken_;
        taken_ += count * line_floats;
        return {reinterpret_cast<const char*>(first), line_floats * 4};
      }
    return {reinterpret_cast<const char*>(otherwise), 0};
  }

 private:
  static constexpr int64_t line_floats = 16;
  Ahead ahead_;
  int area_ = 0;
  int64_t taken_ = 0;
};

// The same pointer, but with its origin hidden from the compiler, which would otherwise address all
// rows from the first one.
[[gnu::always_inline]] inline const float* apart(const float* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// One tile of a full panel: C[rows, panel_columns] (+)= A[rows, depth] B[depth, panel_columns] (+
// bias), the rows of B `b_step` apart. Every step fetches one line of `ahead`.
template <int rows, Order order>
void tile(const float* a, int64_t step, int64_t depth, const float* b, int64_t b_step, float* c, int64_t c_stride,
          const float* bias, bool accumulate, bool relu, Lines::Run ahead) {
  Floats sums[rows][panel_vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < panel_vectors; ++v)
      sums[r][v] = accumulate ? load(c + r * c_stride + v * lanes) : bias ? load(bias + v * lanes) : zero();

  // Rows by fours, each four from a pointer of its own, so that five registers address twelve rows.
  constexpr int fours = (rows + 3) / 4;
  const float* from[fours];
#pragma GCC unroll 3
  for (int f = 0; f < fours; ++f) from[f] = apart(order == Order::rows ? a + 4 * f * step : a + 4 * f);
  for (int64_t k = 0; k < depth; ++k) {
    Floats b_row[panel_vectors];
#pragma GCC unroll 2
    for (int v = 0; v < panel_vectors; ++v) b_row[v] = load(b + k * b_step + v * lanes);
    __builtin_prefetch(ahead.first + k * ahead.step, 0, 2);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      const Floats a_rk = broadcast(order == Order::rows ? from[r / 4][r % 4 * step + k] : a[k * step + r]);
#pragma GCC unroll 2
      for (int v = 0; v < panel_vectors; ++v) sums[r][v] = a_rk * b_row[v] + sums[r][v];
    }
  }

#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < panel_vectors; ++v) {
      const Floats y = sums[r][v];
      store(c + r * c_stride + v * lanes, relu ? (y < zero() ? zero() : y) : y);
    }
}

using Tile = void (*)(const float*, int64_t, int64_t, const float*, int64_t, float*, int64_t, const float*, bool, bool,
                      Lines::Run);

template <Order order>
constexpr Tile tiles[] = {
    nullptr,        tile<1, order>, tile<2, order>, tile<3, order>,  tile<4, order>,  tile<5, order>,  tile<6, order>,
#if UPS_LANES == 16
    tile<7, order>, tile<8, order>, tile<9, order>, tile<10, order>, tile<11, order>, tile<12, order>,
#endif
};

// The last panel may be narrower than a tile: it is computed beside C and its part copied.
template <Order order>
void narrow_tile(int64_t rows, const float* a, int64_t step, int64_t depth, const float* b, int64_t b_step, float* c,
                 int64_t c_stride, int64_t columns, const float* bias, bool accumulate, bool relu, Lines::Run ahead) {
  alignas(64) float whole[tile_rows * panel_columns], whole_bias[panel_columns] = {};
  const size_t bytes = static_cast<size_t>(columns) * sizeof(float);
  if (bias) std::memcpy(whole_bias, bias, bytes);
  if (accumulate)
    for (int64_t r = 0; r < rows; ++r) std::memcpy(whole + r * panel_columns, c + r * c_stride, bytes);
  tiles<order>[rows](a, step, depth, b, b_step, whole, panel_columns, bias ? whole_bias : nullptr, accumulate, relu,
                     ahead);
  for (int64_t r = 0; r < rows; ++r) std::memcpy(c + r * c_stride, whole + r * panel_columns, bytes);
}

// One panel's worth of a row tile: whole or narrow.
template <Order order>
void panel_tile(int64_t rows, const float* a, int64_t step, int64_t depth, const float* b, int64_t b_step, float* c,
                int64_t c_stride, int64_t columns, const float* bias, bool accumulate, bool relu, Lines::Run ahead) {
  if (columns >= panel_columns)
    tiles<order>[rows](a, step, depth, b, b_step, c, c_stride, bias, accumulate, relu, ahead);
  else narrow_tile<order>(rows, a, step, depth, b, b_step, c, c_stride, columns, bias, accumulate, relu, ahead);
}

// B in cache: row tiles outside, panels inside, so that a tile of A is read once.
template <Order order>
void multiply_slice(const float* a, int64_t a_step, int64_t rows, const float* b, int64_t b_step, int64_t b_panel,
                    int64_t depth, int64_t columns, float* c, int64_t c_stride, const float* bias, bool accumulate,
                    bool relu, Lines& lines, bool fetch_next_rows) {
  for (int64_t r = 0; r < rows; r += tile_rows) {
    if (fetch_next_rows) {
      const int64_t next = r + tile_rows;
      lines = Lines({{a + next * a_step, c + next * c_stride}, {tile_rows * a_step, tile_rows * c_stride}});
    }
    for (int64_t p = 0; p < panels(columns); ++p)
      panel_tile<order>(std::min<int64_t>(rows - r, tile_rows), order == Order::rows ? a + r * a_step : a + r, a_step,
                        depth, b + p * b_panel, b_step, c + r * c_stride + p * panel_columns, c_stride,
                        columns - p * panel_columns, bias ? bias + p * panel_columns : nullptr, accumulate, relu,
                        lines.next(depth, b));
  }
}

// B larger than the cache: a block of A is rearranged into tiles (its rows may lie pages apart),
// then every panel slice stays in L1 while the block's tiles pass (K. Goto and R. van de Geijn, ACM
// TOMS 34, 12 (2008)).
constexpr int64_t block_rows = 4 * 12;
void multiply_slice_blocked(const float* a, int64_t a_step, int64_t rows, const float* b, int64_t b_panel,
                            int64_t depth, int64_t columns, float* c, int64_t c_stride, const float* bias,
                            bool accumulate, bool relu, Lines& lines) {
  alignas(64) float block[block_rows * depth_slice];  // [tile][k][row of the tile]
  for (int64_t r0 = 0; r0 < rows; r0 += block_rows) {
    const int64_t block_end = std::min(rows, r0 + block_rows);
    for (int64_t r = r0; r < block_end; ++r) {
      float* to = block + (r - r0) / tile_rows * tile_rows * depth + (r - r0) % tile_rows;
      for (int64_t k = 0; k < depth; ++k) to[k * tile_rows] = a[r * a_step + k];
    }
    for (int64_t p = 0; p < panels(columns); ++p)
      for (int64_t r = r0; r < block_end; r += tile_rows)
        panel_tile<Order::columns>(std::min<int64_t>(block_end - r, tile_rows), block + (r - r0) * depth, tile_rows,
                                   depth, b + p * b_panel, panel_columns, c + r * c_stride + p * panel_columns,
                                   c_stride, columns - p * panel_columns, bias ? bias + p * panel_columns : nullptr,
                                   accumulate, relu, lines.next(depth, b));
  }
}

constexpr int64_t cached_floats = 32 * 1024;  // B up to 128 KiB is taken to stay in L2 beside the rows of A and C

constexpr int64_t min_fetched = 48;  // rows: fewer, as of one event, are in cache as a rule

// B lies in panels: row k of panel p at b + p * b_panel + k * b_step.
template <Order order>
void multiply_in(const float* a, int64_t a_step, int64_t rows, const float* b, int64_t b_step, int64_t b_panel,
                 int64_t depth, int64_t columns, float* c, int64_t c_stride, const Finish& finish, const Ahead& ahead) {
  const bool blocked = order == Order::rows && depth * columns > cached_floats;
  const bool fetch_next_rows = order == Order::rows && rows >= min_fetched && !ahead.from[0] && a_step == depth &&
                               c_stride == columns && depth <= depth_slice;
  Lines lines(ahead);
  for (int64_t k0 = 0; k0 == 0 || k0 < depth; k0 += depth_slice) {
    const int64_t slice = std::min(depth - k0, depth_slice);
    const bool accumulate = finish.accumulate || k0 > 0, relu = finish.relu && k0 + depth_slice >= depth;
    const float* bias = k0 == 0 ? finish.bias : nullptr;
    const float* a_slice = order == Order::rows ? a + k0 : a + k0 * a_step;
    const float* b_slice = b + k0 * b_step;
    if (blocked)
      multiply_slice_blocked(a_slice, a_step, rows, b_slice, b_panel, slice, columns, c, c_stride, bias, accumulate,
                             relu, lines);
    else
      multiply_slice<order>(a_slice, a_step, rows, b_slice, b_step, b_panel, slice, columns, c, c_stride, bias,
                            accumulate, relu, lines, fetch_next_rows);
  }
}

}  // namespace

// A square of w at a time, transposed in registers. `columns` and `steps` are `lanes` but at the
// edges.
[[gnu::always_inline]] inline void pack_square(const float* w, int64_t stride, int64_t columns, int64_t steps,
                                               float* to) {
  Floats square[lanes];
#pragma GCC unroll 16
  for (int n = 0; n < lanes; ++n) square[n] = n < columns ? load_some(w + n * stride, steps) : zero();
  transpose(square);
#pragma GCC unroll 16
  for (int k = 0; k < lanes; ++k)
    if (k < steps) store(to + k * panel_columns, square[k]);
}

void pack_panel_transposed(const float* w, int64_t stride, int64_t depth, int64_t columns, int64_t panel, float* to) {
  const int64_t first = panel * panel_columns;
  for (int v = 0; v < panel_vectors; ++v) {
    const int64_t n = first + v * lanes, here = std::clamp<int64_t>(columns - n, 0, lanes);
    const float* from = w + n * stride;
    int64_t k = 0;
    if (here == lanes)
      for (; k + lanes <= depth; k += lanes) {
        // As many streams as rows are more than hardware follows: what they need soon is fetched.
        for (int row = 0; row < lanes; ++row) __builtin_prefetch(from + row * stride + k + pack_ahead);
        pack_square(from + k, stride, lanes, lanes, to + k * panel_columns + v * lanes);
      }
    for (; k < depth; k += lanes)
      pack_square(from + k, stride, here, std::min<int64_t>(depth - k, lanes), to + k * panel_columns + v * lanes);
  }
}

void pack_panel(const float* b, int64_t stride, int64_t depth, int64_t columns, int64_t panel, float* to) {
  const int64_t first = panel * panel_columns;
  const int64_t here = std::min<int64_t>(columns - first, panel_columns);
  if (here == panel_columns) {
    for (int64_t k = 0; k < depth; ++k)
#pragma GCC unroll 2
      for (int v = 0; v < panel_vectors; ++v)
        store(to + k * panel_columns + v * lanes, load(b + k * stride + first + v * lanes));
    return;
  }
  clear(to, depth * panel_columns);
  for (int64_t k = 0; k < depth; ++k)
    std::memcpy(to + k * panel_columns, b + k * stride + first, sizeof(float) * static_cast<size_t>(here));
}

void pack_weight(Threads& threads, const float* weight, int64_t depth, int64_t columns, float* packed) {
  threads.run(panels(columns), [&](int64_t panel, int32_t) {
    pack_panel_transposed(weight, depth, depth, columns, panel, packed + panel * panel_columns * depth);
  });
}

void pack_weight_for_gradient(Threads& threads, const float* weight, int64_t depth, int64_t columns, float* packed) {
  threads.run(panels(columns), [&](int64_t panel, int32_t) {
    pack_panel(weight, columns, depth, columns, panel, packed + panel * panel_columns * depth);
  });
}

void multiply(Order order, const float* a, int64_t a_step, int64_t rows, const float* packed, int64_t depth,
              int64_t columns, float* c, int64_t c_stride, Finish finish, Ahead ahead) {
  const int64_t panel = depth * panel_columns;
  if (order == Order::rows)
    multiply_in<Order::rows>(a, a_step, rows, packed, panel_columns, panel, depth, columns, c, c_stride, finish, ahead);
  else
    multiply_in<Order::columns>(a, a_step, rows, packed, panel_columns, panel, depth, columns, c, c_stride, finish,
                                ahead);
}

void multiply_transposed(const float* a, int64_t a_step, int64_t rows, const float* b, int64_t b_step, int64_t depth,
                         int64_t columns, float* c, int64_t c_stride, Finish finish, Ahead ahead) {
  multiply_in<Order::columns>(a, a_step, rows, b, b_step, panel_columns, depth, columns, c, c_stride, finish, ahead);
}

UPS_SIMD_SHARED_END
