// Transposes squares of numbers in registers.
#if defined(UPS_LIB_SIMD_TRANSPOSE_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_TRANSPOSE_SIMD_H
#undef UPS_LIB_SIMD_TRANSPOSE_SIMD_H
#else
#define UPS_LIB_SIMD_TRANSPOSE_SIMD_H
#endif

#include <utility>

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

// Exchanges the off-diagonal blocks of `half` columns between rows a and b, which are `half` rows
// apart.
template <int half, int... i>
[[gnu::always_inline]] inline void exchange_blocks(Floats& a, Floats& b, std::integer_sequence<int, i...>) {
  const Floats upper = __builtin_shufflevector(a, b, (i & half ? lanes + i - half : i)...);
  b = __builtin_shufflevector(a, b, (i & half ? lanes + i : i + half)...);
  a = upper;
}

// As many vectors as a square has rows; narrower squares than vectors lie side by side. By halves,
// quarters, ...: count log2(count) shuffles.
template <int count, int half = count / 2>
[[gnu::always_inline]] inline void transpose(Floats (&rows)[count]) {
  if constexpr (half > 0) {
#pragma GCC unroll 16
    for (int r = 0; r < count; ++r)
      if (!(r & half)) exchange_blocks<half>(rows[r], rows[r + half], std::make_integer_sequence<int, lanes>{});
    transpose<count, half / 2>(rows);
  }
}

UPS_SIMD_END

#endif
