// Products of short rows.
#if defined(UPS_LIB_SIMD_DOT_SIMD_H) == defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_DOT_SIMD_H
#undef UPS_LIB_SIMD_DOT_SIMD_H
#else
#define UPS_LIB_SIMD_DOT_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

// The sum over the lanes, in pairs.
[[gnu::always_inline]] inline float sum_pairwise(Floats v) {
#if defined(__x86_64__) && UPS_LANES > 4
  __m256 part;
  std::memcpy(&part, &v, sizeof part);
  for (int i = 8; i < lanes; i += 8) {
    __m256 next;
    std::memcpy(&next, reinterpret_cast<const char*>(&v) + 4 * i, sizeof next);
    part = _mm256_add_ps(part, next);
  }
#endif
#if defined(__x86_64__)
#if defined(__x86_64__) && UPS_LANES > 4
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(part), _mm256_extractf128_ps(part, 1));
#else
  __m128 four = v;
#endif
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
#else
  float parts[lanes];
  std::memcpy(parts, &v, sizeof v);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  return parts[0];
#endif
}

[[gnu::always_inline]] inline float dot(const float* a, const float* b, int64_t count) {
  Floats sums = zero();
  each_vector(count, [&](int64_t i, int64_t here) { sums = load_some(a + i, here) * load_some(b + i, here) + sums; });
  return sum_pairwise(sums);
}

UPS_SIMD_END

#endif
