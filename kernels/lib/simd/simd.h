// Vectors of the present instruction set, as compiler vectors: arithmetic, comparisons and `mask ?
// a : b` are the language's own, a * b + c contracts to a fused multiply-add where there is one.
#if defined(UPS_LIB_SIMD_SIMD_SIMD_H) == defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_SIMD_SIMD_H
#undef UPS_LIB_SIMD_SIMD_SIMD_H
#else
#define UPS_LIB_SIMD_SIMD_SIMD_H
#endif

UPS_SIMD_BEGIN

constexpr int lanes = UPS_LANES;
typedef float Floats __attribute__((vector_size(UPS_LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(UPS_LANES * 4)));

[[gnu::always_inline]] inline Floats load(const float* from) {
  Floats v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
[[gnu::always_inline]] inline void store(float* to, Floats v) { std::memcpy(to, &v, sizeof v); }
[[gnu::always_inline]] inline Floats broadcast(float value) { return value - Floats{}; }
[[gnu::always_inline]] inline Floats zero() { return Floats{}; }

// The first `count` < lanes elements; the others are 0, their memory is not touched.
#if defined(UPS_HAS_AVX2) && UPS_LANES == 8
[[gnu::always_inline]] inline __m256i first_lanes(int64_t count) {
  alignas(64) static constexpr int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones_then_zeros + 8 - count));
}
#endif
[[gnu::always_inline]] inline Floats load_first(const float* from, int64_t count) {
#if defined(UPS_HAS_AVX512)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#elif defined(UPS_HAS_AVX2) && UPS_LANES == 8
  return _mm256_maskload_ps(from, first_lanes(count));
#else
  Floats v{};
  for (int64_t i = 0; i < count; ++i) v[i] = from[i];
  return v;
#endif
}
[[gnu::always_inline]] inline void store_first(float* to, Floats v, int64_t count) {
#if defined(UPS_HAS_AVX512)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
#elif defined(UPS_HAS_AVX2) && UPS_LANES == 8
  // Halves by halves: a masked store takes many cycles on AMD processors.
  __m128 part = _mm256_castps256_ps128(v);
  if (count & 4) {
    _mm_storeu_ps(to, part);
    part = _mm256_extractf128_ps(v, 1);
    to += 4;
  }
  if (count & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(to), part);
    part = _mm_movehl_ps(part, part);
    to += 2;
  }
  if (count & 1) _mm_store_ss(to, part);
#else
  for (int64_t i = 0; i < count; ++i) to[i] = v[i];
#endif
}

[[gnu::always_inline]] inline Ints load_first(const int32_t* from, int64_t count) {
#if defined(UPS_HAS_AVX512)
  return reinterpret_cast<Ints>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << count) - 1), from));
#elif defined(UPS_HAS_AVX2) && UPS_LANES == 8
  return reinterpret_cast<Ints>(_mm256_maskload_epi32(from, first_lanes(count)));
#else
  Ints v{};
  for (int64_t i = 0; i < count; ++i) v[i] = from[i];
  return v;
#endif
}
// Whether a bit is set anywhere.
[[gnu::always_inline]] inline bool any(Ints v) {
#if defined(UPS_HAS_AVX512)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(v), reinterpret_cast<__m512i>(v)) != 0;
#elif defined(UPS_HAS_AVX2) && UPS_LANES == 8
  return !_mm256_testz_si256(reinterpret_cast<__m256i>(v), reinterpret_cast<__m256i>(v));
#else
  int32_t bits = 0;
  for (int i = 0; i < lanes; ++i) bits |= v[i];
  return bits != 0;
#endif
}

[[gnu::always_inline]] inline Floats sqrt(Floats v) {
#if defined(UPS_HAS_AVX512)
  return _mm512_maskz_sqrt_ps(0xffff, v);
#elif defined(UPS_HAS_AVX2)
  for (int i = 0; i < lanes; i += 8) {
    __m256 part;
    std::memcpy(&part, reinterpret_cast<const char*>(&v) + 4 * i, sizeof part);
    part = _mm256_sqrt_ps(part);
    std::memcpy(reinterpret_cast<char*>(&v) + 4 * i, &part, sizeof part);
  }
  return v;
#elif defined(__x86_64__)
  return _mm_sqrt_ps(v);
#else
  for (int i = 0; i < lanes; ++i) v[i] = std::sqrt(v[i]);
  return v;
#endif
}

[[gnu::always_inline]] inline Floats max(Floats a, Floats b) { return a > b ? a : b; }  // b where either is NaN
[[gnu::always_inline]] inline Floats min(Floats a, Floats b) { return a < b ? a : b; }

inline float sum(Floats v) {
  float total = 0;
  for (int i = 0; i < lanes; ++i) total += v[i];
  return total;
}

// Calls body(first, count) over [0, length) in steps of a vector; the last may be shorter than
// `lanes`.
template <class Body>
[[gnu::always_inline]] inline void each_vector(int64_t length, Body&& body) {
  int64_t i = 0;
  for (; i + lanes <= length; i += lanes) body(i, static_cast<int64_t>(lanes));
  if (i < length) body(i, length - i);
}
[[gnu::always_inline]] inline Floats load_some(const float* from, int64_t count) {
  return count == lanes ? load(from) : load_first(from, count);
}
[[gnu::always_inline]] inline Ints load_some(const int32_t* from, int64_t count) {
  if (count < lanes) return load_first(from, count);
  Ints v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
[[gnu::always_inline]] inline void store_some(float* to, Floats v, int64_t count) {
  count == lanes ? store(to, v) : store_first(to, v, count);
}

UPS_SIMD_END

#endif
