// What a backward pass does to each number of a grid, compiled in lib/convolution/sums.cpu.cc.
#if defined(UPS_LIB_CONVOLUTION_SUMS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_SUMS_SIMD_H
#undef UPS_LIB_CONVOLUTION_SUMS_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_SUMS_SIMD_H
#endif

#include "lib/kernel.h"
#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

// result[c] = the sum over samples and places of values[sample, c, place]; `parts` has samples *
// channels numbers.
void channel_sums(Threads& threads, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result);

// dz = dy act'(z): over all, in tasks.
void slopes(Threads& threads, const float* y, const float* dy, float* dz, int64_t count, int32_t activation);

UPS_SIMD_SHARED_END

#endif
