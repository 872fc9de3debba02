// Transposes a square of lanes x lanes numbers in registers.
#include <utility>

UPS_SIMD_BEGIN

// Exchanges the off-diagonal blocks of `half` columns between rows a and b, which are `half` rows apart.
template <int half, int... i>
[[gnu::always_inline]] inline void exchange_blocks(Floats& a, Floats& b, std::integer_sequence<int, i...>) {
  const Floats upper = __builtin_shufflevector(a, b, (i & half ? lanes + i - half : i)...);
  b = __builtin_shufflevector(a, b, (i & half ? lanes + i : i + half)...);
  a = upper;
}

// By halves, quarters, ...: lanes log2(lanes) shuffles.
template <int half = lanes / 2>
[[gnu::always_inline]] inline void transpose(Floats (&rows)[lanes]) {
  if constexpr (half > 0) {
#pragma GCC unroll 16
    for (int r = 0; r < lanes; ++r)
      if (!(r & half)) exchange_blocks<half>(rows[r], rows[r + half], std::make_integer_sequence<int, lanes>{});
    transpose<half / 2>(rows);
  }
}

UPS_SIMD_END
