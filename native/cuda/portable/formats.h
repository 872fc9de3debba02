// Number formats as plain data, with the same bits on the host, on the device and in the emulation.
#pragma once

namespace ups {

// The upper half of a binary32.
struct bf16 {
  uint16_t bits;
};

UPS_HD inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

UPS_HD inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Rounds to nearest, ties to even; a NaN stays a NaN (its payload is cut, so it is made quiet).
UPS_HD inline bf16 to_bf16(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bf16{static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return bf16{static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

UPS_HD inline float to_f32(bf16 value) { return float_of(static_cast<uint32_t>(value.bits) << 16); }

// Two neighbours in one register, as mma and ldmatrix hold them: the first in the low half.
UPS_HD inline uint32_t pack(bf16 first, bf16 second) {
  return static_cast<uint32_t>(first.bits) | static_cast<uint32_t>(second.bits) << 16;
}

template <class T>
UPS_HD constexpr T min(T a, T b) {
  return b < a ? b : a;
}

template <class T>
UPS_HD constexpr T max(T a, T b) {
  return a < b ? b : a;
}

}  // namespace ups
