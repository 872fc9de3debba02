// mma and ldmatrix by the fragment layouts of portable/fragments.h.
#pragma once

#include "executor.h"

namespace ups {

// cvt.rna: to the nearest of 10 mantissa bits, ties away from zero; every NaN becomes the same one.
inline uint32_t to_tf32(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffffffu;
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & ~0x1fffu;
}

inline void mma(FragC& c, const FragA_tf32& a, const FragB_tf32& b UPS_AND_SITE) {
  emu::mma(emu::MmaShape::tf32_m16n8k8, a.r, b.r, c.r, site);
}
inline void mma(FragC& c, const FragA_bf16& a, const FragB_bf16& b UPS_AND_SITE) {
  emu::mma(emu::MmaShape::bf16_m16n8k16, a.r, b.r, c.r, site);
}

namespace emu {

// The row is read here, in the kernel's own translation unit, so that sanitizers see the access as
// the kernel's; word by word for the reason that async_copy.h gives.
template <int Matrices>
void ldmatrix(uint32_t (&r)[Matrices], const void* row, bool transposed, Site site) {
  MatrixRow numbers{};
  if (current_thread->lane < 8 * Matrices) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) fail("ldmatrix: row %p is not aligned to 16 bytes", row);
    for (int word = 0; word < 4; ++word) {
      memcpy(&numbers.numbers[2 * word], static_cast<const unsigned char*>(row) + 4 * word, 4);
      asm volatile("" ::: "memory");
    }
  }
  load_matrices(r, numbers, Matrices, transposed, site);
}

}  // namespace emu

inline void ldmatrix_x4(uint32_t (&r)[4], const void* row UPS_AND_SITE) { emu::ldmatrix<4>(r, row, false, site); }
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row UPS_AND_SITE) { emu::ldmatrix<4>(r, row, true, site); }
inline void ldmatrix_x2(uint32_t (&r)[2], const void* row UPS_AND_SITE) { emu::ldmatrix<2>(r, row, false, site); }
inline void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row UPS_AND_SITE) { emu::ldmatrix<2>(r, row, true, site); }

}  // namespace ups
