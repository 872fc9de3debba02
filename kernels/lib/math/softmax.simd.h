// The steps of a softmax over rows, column by column: `rows` rows of `columns` numbers, one after the other. Where whole
// rows fill a vector (1, 2, 4 ... columns) the numbers are taken as they lie and the lanes of a column meet at the end;
// otherwise the columns lie across the vectors. Compiled in lib/math/softmax.cpu.cc.
#if defined(UPS_LIB_MATH_SOFTMAX_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_MATH_SOFTMAX_SIMD_H
#undef UPS_LIB_MATH_SOFTMAX_SIMD_H
#else
#define UPS_LIB_MATH_SOFTMAX_SIMD_H
#endif

#include "lib/simd/simd.h"

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
inline float larger(float a, float b) { return a > b ? a : b; }

UPS_SIMD_END

UPS_SIMD_SHARED_BEGIN

// y = exp(x - largest of the column); `largest` and `total` (the sum of these) get a number for each column.
void exponentials(const float* x, int64_t rows, int64_t columns, float* y, float* largest, float* total);
// y *= the column's factor
void scale_columns(float* y, int64_t rows, int64_t columns, const float* factors);
// mean[column] = sum over the rows of y dy
void mean_gradients(const float* y, const float* dy, int64_t rows, int64_t columns, float* mean);
// dx = y (dy - the column's mean)
void softmax_gradients(const float* y, const float* dy, int64_t rows, int64_t columns, const float* means, float* dx);

UPS_SIMD_SHARED_END

#endif
