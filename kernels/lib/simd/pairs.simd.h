// Vectors of pairs: numbers that are neighbours in memory, taken apart and put together.
#if defined(UPS_LIB_SIMD_PAIRS_SIMD_H) == defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_PAIRS_SIMD_H
#undef UPS_LIB_SIMD_PAIRS_SIMD_H
#else
#define UPS_LIB_SIMD_PAIRS_SIMD_H
#endif

#include <utility>

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

template <int first, int... i>
[[gnu::always_inline]] inline Floats every_second(Floats a, Floats b, std::integer_sequence<int, i...>) {
  return __builtin_shufflevector(a, b, (2 * i + first)...);
}
template <int first, int... i>
[[gnu::always_inline]] inline Floats alternate(Floats a, Floats b, std::integer_sequence<int, i...>) {
  return __builtin_shufflevector(a, b, (first + i / 2 + i % 2 * lanes)...);
}

using EachLane = std::make_integer_sequence<int, lanes>;

// Of the numbers of a, then b, those with even and with odd places.
[[gnu::always_inline]] inline Floats even_lanes(Floats a, Floats b) { return every_second<0>(a, b, EachLane{}); }
[[gnu::always_inline]] inline Floats odd_lanes(Floats a, Floats b) { return every_second<1>(a, b, EachLane{}); }
// a[0], b[0], a[1], b[1], ... of the lower and of the upper half of the lanes.
[[gnu::always_inline]] inline Floats low_pairs(Floats a, Floats b) { return alternate<0>(a, b, EachLane{}); }
[[gnu::always_inline]] inline Floats high_pairs(Floats a, Floats b) { return alternate<lanes / 2>(a, b, EachLane{}); }

UPS_SIMD_END

#endif
