// The activations over arrays, compiled in lib/math/activate_rows.cpu.cc. Kernels that need a
// vector function inline read lib/simd/elementary.simd.h instead.
#if defined(UPS_LIB_MATH_ACTIVATE_ROWS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_MATH_ACTIVATE_ROWS_SIMD_H
#undef UPS_LIB_MATH_ACTIVATE_ROWS_SIMD_H
#else
#define UPS_LIB_MATH_ACTIVATE_ROWS_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

// y[0..count) = act(y), for the activations that matmul does not apply itself (all but none and
// relu).
void activate_rows(float* y, int64_t count, int32_t activation);
// dz[0..count) = dy act'(z); for gelu `dz` holds z on entry.
void slope_rows(const float* y, const float* dy, float* dz, int64_t count, int32_t activation);

UPS_SIMD_SHARED_END

#endif
