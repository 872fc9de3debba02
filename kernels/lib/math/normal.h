// Normal numbers from random words by Box and Muller's transform, with a logarithm, sine and cosine
// of our own, so that no libm decides their last bits. All products are rounded before they are
// added: a source that includes lib/math/no_contraction.h first has bit-identical numbers from
// every instruction set and from CUDA.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lib/math/philox.h"

namespace upsilon {

// A product that is rounded before anything is added to it.
UPS_HD inline float rounded_product(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

// ln x of a normal positive x, to 1 ulp: x = 2^n (1 + r) with 1 + r in [sqrt(1/2), sqrt 2), then
// r - r²/2 + r³ P(r), P fitted for the least relative error (6e-9).
UPS_HD inline float log_of(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int32_t n = (bits - 0x3F3504F3) >> 23;  // the bits of sqrt(1/2)
  const int32_t mantissa_bits = bits - n * (1 << 23);
  float mantissa;
  memcpy(&mantissa, &mantissa_bits, sizeof mantissa);
  const float r = mantissa - 1.0f, power = static_cast<float>(n), r2 = rounded_product(r, r);
  float p = -0.07634429633617401f;
  p = rounded_product(p, r) + 0.12761549651622772f;
  p = rounded_product(p, r) + -0.131601944565773f;
  p = rounded_product(p, r) + 0.14201761782169342f;
  p = rounded_product(p, r) + -0.16623356938362122f;
  p = rounded_product(p, r) + 0.20001226663589478f;
  p = rounded_product(p, r) + -0.250008225440979f;
  p = rounded_product(p, r) + 0.3333333134651184f;
  // ln 2 in two parts, the first exact in the product.
  const float tail = rounded_product(rounded_product(p, r2), r) + rounded_product(power, -2.12194440e-4f);
  return ((tail - rounded_product(0.5f, r2)) + r) + rounded_product(power, 0.693359375f);
}

struct NormalPair {
  float first, second;
};

// -2 ln u with u in (0, 1] from all 32 bits of the word, so that the tails reach 6.7 standard
// deviations.
UPS_HD inline float squared_radius_of(uint32_t word) {
  return rounded_product(-2.0f, log_of(rounded_product(static_cast<float>(word) + 0.5f, 1.0f / 4294967296.0f)));
}

// Cosine and sine of 2 pi word / 2^32. The word is cut in integers into a quadrant and a rest of at
// most pi/4, whose sine x + x³ S(x²) and cosine 1 - x²/2 + x⁴ C(x²) are fitted for the least error
// (4e-9 relative, 1e-10).
UPS_HD inline NormalPair direction_of(uint32_t word) {
  const uint32_t quadrant = (word + (1u << 29)) >> 30;
  const auto rest = static_cast<int32_t>(word - (quadrant << 30));
  const float x = rounded_product(static_cast<float>(rest), 1.4629180792671596e-9f);  // 2 pi / 2^32
  const float x2 = rounded_product(x, x);
  float s = -0.00019517297914717346f;
  s = rounded_product(s, x2) + 0.008332177996635437f;
  s = rounded_product(s, x2) + -0.16666655242443085f;
  s = rounded_product(rounded_product(s, x2), x) + x;
  float c = 2.443845005473122e-05f;
  c = rounded_product(c, x2) + -0.001388736767694354f;
  c = rounded_product(c, x2) + 0.04166664555668831f;
  c = rounded_product(rounded_product(c, x2), x2) + (1.0f - rounded_product(0.5f, x2));

  const bool swapped = (quadrant & 1) != 0;
  const float cosine = swapped ? s : c, sine = swapped ? c : s;
  const float cosine_sign = ((quadrant + 1) & 2) != 0 ? -1.0f : 1.0f, sine_sign = (quadrant & 2) != 0 ? -1.0f : 1.0f;
  return {rounded_product(cosine_sign, cosine), rounded_product(sine_sign, sine)};
}

// Two independent normal numbers from two words.
UPS_HD inline NormalPair normals_of(uint32_t radius_word, uint32_t angle_word) {
  const float radius = sqrtf(squared_radius_of(radius_word));
  const NormalPair direction = direction_of(angle_word);
  return {rounded_product(radius, direction.first), rounded_product(radius, direction.second)};
}

}  // namespace upsilon
