// Products of matrices that lie in the first caches, padded to whole vectors: C[rows, vectors] (+)=
// A[rows, depth] B. As lib/dense/matmul.simd.h, but one vector wide where that is enough: heads are
// as narrow as 8 or 16.
#if defined(UPS_LIB_ATTENTION_PRODUCTS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_ATTENTION_PRODUCTS_SIMD_H
#undef UPS_LIB_ATTENTION_PRODUCTS_SIMD_H
#else
#define UPS_LIB_ATTENTION_PRODUCTS_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

#if UPS_LANES == 16
constexpr int max_rows = 12;  // 24 sums, 2 of B, 1 of A: 27 of 32 registers
#else
constexpr int max_rows = 6;  // 12 sums, 2 of B, 1 of A: 15 of 16 registers
#endif
constexpr int64_t pair_columns = 2 * lanes;

// A[r, k] = a[r step + k], or a[k step + r] when it is transposed.
struct Left {
  const float* a;
  int64_t step, rows;
};
// B[k, c] for the columns of pair p = b[p pair + k step + c].
struct Right {
  const float* b;
  int64_t step, pair, depth, vectors;
};
// [depth, vectors] in rows.
inline Right rows_of(const float* b, int64_t depth, int64_t vectors) {
  return {b, vectors * lanes, pair_columns, depth, vectors};
}
// The same as pack_transposed leaves it.
inline Right panels_of(const float* b, int64_t depth, int64_t vectors) {
  return {b, pair_columns, depth * pair_columns, depth, vectors};
}

// The same pointer, but with its origin hidden from the compiler, which would otherwise address all
// rows from the first one.
template <class T>
[[gnu::always_inline]] inline T* apart(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

template <int rows, int vectors, bool transposed>
void multiply_tile(const float* a, int64_t step, const float* b, int64_t b_step, int64_t depth, float* c,
                   int64_t c_step, bool accumulate) {
  // Rows by fours, each four from a pointer of its own, so that five registers address twelve rows.
  constexpr int fours = (rows + 3) / 4;
  const float* from[fours];
  float* to[fours];
#pragma GCC unroll 3
  for (int f = 0; f < fours; ++f) {
    from[f] = apart(transposed ? a + 4 * f : a + 4 * f * step);
    to[f] = apart(c + 4 * f * c_step);
  }
  Floats sums[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[r][v] = accumulate ? load(to[r / 4] + r % 4 * c_step + v * lanes) : zero();
  for (int64_t k = 0; k < depth; ++k) {
    Floats b_row[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) b_row[v] = load(b + k * b_step + v * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      const Floats a_rk = broadcast(transposed ? a[k * step + r] : from[r / 4][r % 4 * step + k]);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) sums[r][v] = a_rk * b_row[v] + sums[r][v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store(to[r / 4] + r % 4 * c_step + v * lanes, sums[r][v]);
}

using MultiplyTile = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float*, int64_t, bool);
template <int vectors, bool transposed, int... rows>
MultiplyTile tiles_of(int count, std::integer_sequence<int, rows...>) {
  static constexpr MultiplyTile tiles[] = {multiply_tile<rows + 1, vectors, transposed>...};
  return tiles[count - 1];
}

template <bool transposed>
void multiply(Left left, Right right, float* c, int64_t c_step, bool accumulate) {
  using Rows = std::make_integer_sequence<int, max_rows>;
  for (int64_t r = 0; r < left.rows; r += max_rows) {
    const int here = static_cast<int>(std::min<int64_t>(left.rows - r, max_rows));
    const MultiplyTile of_pairs = tiles_of<2, transposed>(here, Rows()), of_one = tiles_of<1, transposed>(here, Rows());
    const float* a = transposed ? left.a + r : left.a + r * left.step;
    float* to = c + r * c_step;
    for (int64_t v = 0; v < right.vectors; v += 2)
      (v + 1 < right.vectors ? of_pairs : of_one)(a, left.step, right.b + v / 2 * right.pair, right.step, right.depth,
                                                  to + v * lanes, c_step, accumulate);
  }
}

// The largest of the lanes.
[[gnu::always_inline]] inline float largest_lane(Floats v) {
#if defined(__x86_64__)
#if UPS_LANES > 4
  __m256 part;
  std::memcpy(&part, &v, sizeof part);
  for (int i = 8; i < lanes; i += 8) {
    __m256 next;
    std::memcpy(&next, reinterpret_cast<const char*>(&v) + 4 * i, sizeof next);
    part = _mm256_max_ps(part, next);
  }
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(part), _mm256_extractf128_ps(part, 1));
#else
  __m128 four = v;
#endif
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
#else
  float most = v[0];
  for (int i = 1; i < lanes; ++i) most = v[i] > most ? v[i] : most;
  return most;
#endif
}

// Accumulates whether all numbers were finite: 0 as long as they are, NaN afterwards.
struct Watch {
  Floats zeros;
  Watch() : zeros(zero()) {}
  void see(Floats v) { zeros += v * zero(); }
  bool all_finite() const { return !any(zeros != zeros); }
};

// Copies rows that are `step` apart next to each other, padded with zeros to whole vectors, and
// prefetches what lies `ahead` floats behind each row: rows of a head are far apart, where no
// hardware prefetches.
inline void pack_rows(const float* from, int64_t step, int64_t rows, int64_t columns, int64_t ahead, float* to,
                      Watch& watch) {
  const int64_t padded = round_up(columns, lanes);
  for (int64_t r = 0; r < rows; ++r)
    each_vector(columns, [&](int64_t c, int64_t here) {
      const Floats v = load_some(from + r * step + c, here);
      __builtin_prefetch(from + r * step + c + ahead, 0, 2);
      watch.see(v);
      store(to + r * padded + c, v);
    });
}

// to = packed^T in panels of pair_columns rows of `packed`, for panels_of; what is beyond the rows
// becomes 0.
inline void pack_transposed(const float* packed, int64_t rows, int64_t columns, float* to) {
  const int64_t padded = round_up(columns, lanes);
  for (int64_t first = 0; first < rows; first += pair_columns) {
    const int64_t end = std::min(rows, first + pair_columns);
    float* panel = to + first * columns;
    if (end - first < pair_columns) std::fill_n(panel, columns * pair_columns, 0.0f);
    int64_t r = first;
#if defined(__x86_64__)
    for (; r + 4 <= end; r += 4) {
      const float* from = packed + r * padded;
      int64_t c = 0;
      for (; c + 4 <= columns; c += 4) {
        __m128 a = _mm_loadu_ps(from + c), b = _mm_loadu_ps(from + padded + c);
        __m128 d = _mm_loadu_ps(from + 2 * padded + c), e = _mm_loadu_ps(from + 3 * padded + c);
        _MM_TRANSPOSE4_PS(a, b, d, e);
        float* into = panel + c * pair_columns + (r - first);
        _mm_storeu_ps(into, a);
        _mm_storeu_ps(into + pair_columns, b);
        _mm_storeu_ps(into + 2 * pair_columns, d);
        _mm_storeu_ps(into + 3 * pair_columns, e);
      }
      for (; c < columns; ++c)
        for (int64_t i = 0; i < 4; ++i) panel[c * pair_columns + (r - first) + i] = from[i * padded + c];
    }
#endif
    for (; r < end; ++r)
      for (int64_t c = 0; c < columns; ++c) panel[c * pair_columns + (r - first)] = packed[r * padded + c];
  }
}

UPS_SIMD_END

#endif
