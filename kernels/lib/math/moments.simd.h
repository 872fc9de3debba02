// Sums and moments of numbers that lie together.
#if defined(UPS_LIB_MATH_MOMENTS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_MATH_MOMENTS_SIMD_H
#undef UPS_LIB_MATH_MOMENTS_SIMD_H
#else
#define UPS_LIB_MATH_MOMENTS_SIMD_H
#endif

#include "lib/math/moments.h"
#include "lib/simd/dot.simd.h"

UPS_SIMD_BEGIN

struct Sums {
  double first, second;
};
// The sums over [0, count) of two numbers for each element: body(i, here, first, second) adds to
// two vectors. Two pairs of them alternate, so that an addition need not wait for the one before
// it.
template <class Body>
[[gnu::always_inline]] inline Sums sum_two(int64_t count, Body&& body) {
  Floats first[2] = {zero(), zero()}, second[2] = {zero(), zero()};
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    body(i, lanes, first[0], second[0]);
    body(i + lanes, lanes, first[1], second[1]);
  }
  each_vector(count - i, [&](int64_t k, int64_t here) { body(i + k, here, first[0], second[0]); });
  return {sum_pairwise(first[0] + first[1]), sum_pairwise(second[0] + second[1])};
}

// Of a piece that stays in L1, which is read twice: for its mean, then for the deviations from what
// was found.
inline Moments moments_of(const float* numbers, int64_t count) {
  // 0 from lane `here` on: there the deviation is that of the padding.
  const auto masked = [](Floats v, int64_t here) {
    float kept[lanes] = {};
    store_first(kept, v, here);
    return load(kept);
  };
  const double size = static_cast<double>(count);
  const Sums sums =
      sum_two(count, [&](int64_t i, int64_t here, Floats& sum, Floats&) { sum += load_some(numbers + i, here); });
  const float centre = static_cast<float>(sums.first / size);
  const Sums around = sum_two(count, [&](int64_t i, int64_t here, Floats& sum, Floats& squares) {
    Floats d = load_some(numbers + i, here) - broadcast(centre);
    if (here < lanes) d = masked(d, here);
    sum += d;
    squares = d * d + squares;
  });
  return {size, centre + around.first / size, around.second - around.first * around.first / size};
}

UPS_SIMD_END

#endif
