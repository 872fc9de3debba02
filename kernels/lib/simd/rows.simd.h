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

inline void fill_zero(Threads& threads, float* y, int64_t count) {
  constexpr int64_t task_floats = 65536;
  threads.run(ceil_div(count, task_floats), [&](int64_t task, int32_t) {
    const int64_t first = task * task_floats;
    std::fill_n(y + first, std::min(task_floats, count - first), 0.0f);
  });
}

UPS_SIMD_END

#endif
