// Rows of few or many floats: copies and sums without a call or a loop over single elements.
#if defined(UPS_LIB_SIMD_ROWS_SIMD_H) == defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_ROWS_SIMD_H
#undef UPS_LIB_SIMD_ROWS_SIMD_H
#else
#define UPS_LIB_SIMD_ROWS_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

inline void copy_row(const float* from, int64_t columns, float* to) {
  each_vector(columns, [&](int64_t c, int64_t here) { store_some(to + c, load_some(from + c, here), here); });
}

inline void add_row(const float* from, int64_t columns, float* to) {
  each_vector(columns, [&](int64_t c, int64_t here) {
    store_some(to + c, load_some(to + c, here) + load_some(from + c, here), here);
  });
}

UPS_SIMD_END

UPS_SIMD_SHARED_BEGIN

// y[0..count) = 0, on all threads. Compiled in lib/simd/rows.cpu.cc.
void fill_zero(Threads& threads, float* y, int64_t count);

UPS_SIMD_SHARED_END

#endif
