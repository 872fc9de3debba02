// exp, tanh, erf and the activations on vectors, accurate to a few ulp of float32.
#if defined(UPS_LIB_SIMD_ELEMENTARY_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_ELEMENTARY_SIMD_H
#undef UPS_LIB_SIMD_ELEMENTARY_SIMD_H
#else
#define UPS_LIB_SIMD_ELEMENTARY_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

// Cody and Waite's reduction x = n ln 2 + r, |r| <= ln 2 / 2, then a polynomial of degree 6
// (minimax on that range). Overflows to inf, underflows gradually to 0, NaN stays NaN.
inline Floats exp(Floats x) {
  const Floats clamped = x > broadcast(89.0f) ? broadcast(89.0f) : x < broadcast(-104.0f) ? broadcast(-104.0f) : x;
  const Floats magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Floats n = (clamped * broadcast(1.44269504088896341f) + magic) - magic;
  Floats r = clamped - n * broadcast(0.693359375f);  // ln 2 in two parts, the first exact in the product
  r = r - n * broadcast(-2.12194440e-4f);
  Floats p = broadcast(1.9875691500e-4f);
  p = p * r + broadcast(1.3981999507e-3f);
  p = p * r + broadcast(8.3334519073e-3f);
  p = p * r + broadcast(4.1665795894e-2f);
  p = p * r + broadcast(1.6666665459e-1f);
  p = p * r + broadcast(5.0000001201e-1f);
  p = p * (r * r) + r + broadcast(1.0f);
  // 2^n in two factors, so that results near the ends of the range are reached without overflow in
  // between.
  const Ints exponent = __builtin_convertvector(n, Ints);
  const Ints half = exponent >> 1;
  const Ints first = (half + 127) << 23, second = (exponent - half + 127) << 23;
  Floats scale_first, scale_second;
  std::memcpy(&scale_first, &first, sizeof first);
  std::memcpy(&scale_second, &second, sizeof second);
  const Floats y = p * scale_first * scale_second;
  return x == x ? y : x;
}

inline Floats magnitude(Floats x) { return x < zero() ? -x : x; }

inline Floats sigmoid(Floats x) { return broadcast(1.0f) / (broadcast(1.0f) + exp(-x)); }

// exp(x) - 1 without cancellation near 0: the Taylor series up to x^7/7! below 1/2.
inline Floats expm1(Floats x) {
  Floats p = broadcast(1.0f / 5040);
  p = p * x + broadcast(1.0f / 720);
  p = p * x + broadcast(1.0f / 120);
  p = p * x + broadcast(1.0f / 24);
  p = p * x + broadcast(1.0f / 6);
  p = p * x + broadcast(0.5f);
  p = p * (x * x) + x;
  return magnitude(x) < broadcast(0.35f) ? p : exp(x) - broadcast(1.0f);
}

// tanh x = e/(e + 2) with e = expm1(2|x|), the sign put back.
inline Floats tanh(Floats x) {
  const Floats a = magnitude(x);
  const Floats e = expm1((a > broadcast(10.0f) ? broadcast(10.0f) : a) * broadcast(2.0f));
  const Floats t = e / (e + broadcast(2.0f));
  const Floats y = x < zero() ? -t : t;
  return x == x ? y : x;
}

// erf: its Maclaurin series (to x^15) below 1; above, 1 - exp(-x²) times W. J. Cody style rational
// in t = 1/(1 + x/2) (Numerical Recipes' erfcc, Chebyshev fitted, fractional error below 1.2e-7).
inline Floats erf(Floats x) {
  const Floats a = magnitude(x), a2 = x * x;
  Floats s = broadcast(-1.0f / 75600);
  s = s * a2 + broadcast(1.0f / 9360);
  s = s * a2 + broadcast(-1.0f / 1320);
  s = s * a2 + broadcast(1.0f / 216);
  s = s * a2 + broadcast(-1.0f / 42);
  s = s * a2 + broadcast(1.0f / 10);
  s = s * a2 + broadcast(-1.0f / 3);
  s = (s * a2 + broadcast(1.0f)) * x * broadcast(1.12837916709551257f);
  const Floats t = broadcast(1.0f) / (broadcast(1.0f) + broadcast(0.5f) * a);
  Floats p = broadcast(0.17087277f);
  p = p * t + broadcast(-0.82215223f);
  p = p * t + broadcast(1.48851587f);
  p = p * t + broadcast(-1.13520398f);
  p = p * t + broadcast(0.27886807f);
  p = p * t + broadcast(-0.18628806f);
  p = p * t + broadcast(0.09678418f);
  p = p * t + broadcast(0.37409196f);
  p = p * t + broadcast(1.00002368f);
  p = p * t + broadcast(-1.26551223f);
  const Floats large = broadcast(1.0f) - t * exp(p - a2);
  const Floats y = x < zero() ? -large : large;
  return a < broadcast(0.75f) ? s : x == x ? y : x;
}

inline Floats activate(Floats z, int32_t activation) {
  switch (activation) {
    case UPS_ACTIVATION_RELU: return z < zero() ? zero() : z;
    case UPS_ACTIVATION_LEAKY_RELU: return z < zero() ? broadcast(0.01f) * z : z;
    case UPS_ACTIVATION_LEAKY_RELU_02: return z < zero() ? broadcast(0.2f) * z : z;
    case UPS_ACTIVATION_ELU: return z < zero() ? expm1(z) : z;
    case UPS_ACTIVATION_GELU:
      return broadcast(0.5f) * z * (broadcast(1.0f) + erf(z * broadcast(0.70710678118654752440f)));
    case UPS_ACTIVATION_TANH: return tanh(z);
    case UPS_ACTIVATION_SIGMOID: return sigmoid(z);
    default: return z;
  }
}

// dact/dz; z is looked at for gelu only.
inline Floats activation_slope(Floats z, Floats y, int32_t activation) {
  const Floats one = broadcast(1.0f);
  switch (activation) {
    case UPS_ACTIVATION_RELU: return y > zero() ? one : zero();
    case UPS_ACTIVATION_LEAKY_RELU: return y > zero() ? one : broadcast(0.01f);
    case UPS_ACTIVATION_LEAKY_RELU_02: return y > zero() ? one : broadcast(0.2f);
    case UPS_ACTIVATION_ELU: return y > zero() ? one : y + one;
    case UPS_ACTIVATION_GELU:
      return broadcast(0.5f) * (one + erf(z * broadcast(0.70710678118654752440f))) +
             z * broadcast(0.39894228040143267794f) * exp(broadcast(-0.5f) * z * z);
    case UPS_ACTIVATION_TANH: return one - y * y;
    case UPS_ACTIVATION_SIGMOID: return y * (one - y);
    default: return one;
  }
}

UPS_SIMD_END

#endif
