// Small row-wise helpers: sums over rows in a fixed order, bias and relu. Compiled in
// lib/simd/sums.cpu.cc.
#if defined(UPS_LIB_SIMD_SUMS_SIMD_H) == defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_SUMS_SIMD_H
#undef UPS_LIB_SIMD_SUMS_SIMD_H
#else
#define UPS_LIB_SIMD_SUMS_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

// total[c] += sum over the rows of m[r, c], in the order of the rows.
void add_rows(const float* m, int64_t stride, int64_t rows, int64_t columns, float* total);
// result[i] = sum over parts p of parts[p * stride + i], in the order of the parts.
void add_in_order(Threads& threads, const float* parts, int64_t count, int64_t stride, int64_t length, float* result);
// row = act(row + bias) for the activations none and relu.
void finish_row(float* row, const float* bias, int64_t columns, bool relu);

UPS_SIMD_SHARED_END

#endif
