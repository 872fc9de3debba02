// The steps of a softmax over rows, column by column: `rows` rows of `columns` numbers, one after
// the other. Where whole rows fill a vector (1, 2, 4 ... columns) the numbers are taken as they lie
// and the lanes of a column meet at the end; otherwise the columns lie across the vectors.
#if defined(UPS_LIB_MATH_SOFTMAX_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_MATH_SOFTMAX_SIMD_H
#undef UPS_LIB_MATH_SOFTMAX_SIMD_H
#else
#define UPS_LIB_MATH_SOFTMAX_SIMD_H
#endif

#include "lib/simd/elementary.simd.h"

UPS_SIMD_BEGIN

inline Ints lane_numbers() {
  Ints numbers{};
  for (int i = 0; i < lanes; ++i) numbers[i] = i;
  return numbers;
}
// `v` in the first `count` lanes, `other` beyond.
inline Floats first_or(Floats v, Floats other, int64_t count) {
  return lane_numbers() < static_cast<int32_t>(count) - Ints{} ? v : other;
}

inline bool rows_fill_vectors(int64_t columns) { return columns > 0 && columns <= lanes && lanes % columns == 0; }

// For a vector that holds whole rows: every lane gets the values of all lanes of its column, joined
// by `join`.
template <class Join>
inline Floats over_columns(Floats v, int64_t columns, Join&& join) {
  float values[lanes];
  store(values, v);
  for (int64_t i = columns; i < lanes; ++i) values[i % columns] = join(values[i % columns], values[i]);
  for (int64_t i = columns; i < lanes; ++i) values[i] = values[i % columns];
  return load(values);
}
inline float larger(float a, float b) { return a > b ? a : b; }
inline float added(float a, float b) { return a + b; }

// Calls body(first, strip, flat, each) for strips of at most a vector of columns, or once for all
// where rows fill vectors (flat): each(f) calls f(at, here) for every vector of the strip's
// numbers, which begins at `at`.
template <class Body>
[[gnu::always_inline]] inline void each_strip(int64_t rows, int64_t columns, Body&& body) {
  if (rows_fill_vectors(columns)) {
    const int64_t count = rows * columns;
    body(0, columns, true, [&](auto&& f) { each_vector(count, [&](int64_t at, int64_t here) { f(at, here); }); });
    return;
  }
  each_vector(columns, [&](int64_t first, int64_t here) {
    body(first, here, false, [&](auto&& f) {
      for (int64_t row = 0; row < rows; ++row) f(row * columns + first, here);
    });
  });
}

// y = exp(x - largest of the column); `largest` and `total` (the sum of these) get a number for
// each column.
inline void exponentials(const float* x, int64_t rows, int64_t columns, float* y, float* largest, float* total) {
  each_strip(rows, columns, [&](int64_t first, int64_t strip, bool flat, auto&& each) {
    const Floats lowest = broadcast(-INFINITY);
    Floats most = lowest, sum = zero();
    each([&](int64_t at, int64_t here) {
      const Floats v = load_some(x + at, here);
      most = max(here < lanes ? first_or(v, lowest, here) : v, most);
    });
    if (flat) most = over_columns(most, strip, larger);
    const Floats base = most == lowest ? zero() : most;  // so that -inf gives 0, whatever else the column has elsewhere
    each([&](int64_t at, int64_t here) {
      const Floats e = exp(load_some(x + at, here) - base);
      store_some(y + at, e, here);
      sum += here < lanes ? first_or(e, zero(), here) : e;
    });
    if (flat) sum = over_columns(sum, strip, added);
    store_some(largest + first, most, strip);
    store_some(total + first, sum, strip);
  });
}

// A number for each column as a vector for strip `first`.
inline Floats of_columns(const float* values, int64_t first, int64_t strip, bool flat) {
  const Floats v = load_some(values + first, strip);
  return flat ? over_columns(v, strip, [](float a, float) { return a; }) : v;
}

// y *= the column's factor
inline void scale_columns(float* y, int64_t rows, int64_t columns, const float* factors) {
  each_strip(rows, columns, [&](int64_t first, int64_t strip, bool flat, auto&& each) {
    const Floats factor = of_columns(factors, first, strip, flat);
    each([&](int64_t at, int64_t here) { store_some(y + at, load_some(y + at, here) * factor, here); });
  });
}

// mean[column] = sum over the rows of y dy
inline void mean_gradients(const float* y, const float* dy, int64_t rows, int64_t columns, float* mean) {
  each_strip(rows, columns, [&](int64_t first, int64_t strip, bool flat, auto&& each) {
    Floats sum = zero();
    each([&](int64_t at, int64_t here) { sum += load_some(y + at, here) * load_some(dy + at, here); });
    if (flat) sum = over_columns(sum, strip, added);
    store_some(mean + first, sum, strip);
  });
}

// dx = y (dy - the column's mean)
inline void softmax_gradients(const float* y, const float* dy, int64_t rows, int64_t columns, const float* means,
                              float* dx) {
  each_strip(rows, columns, [&](int64_t first, int64_t strip, bool flat, auto&& each) {
    const Floats mean = of_columns(means, first, strip, flat);
    each([&](int64_t at, int64_t here) {
      store_some(dx + at, load_some(y + at, here) * (load_some(dy + at, here) - mean), here);
    });
  });
}

UPS_SIMD_END

#endif
