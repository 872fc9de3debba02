// Compiles one SIMD source once per instruction set. A <op>.cpu.cc reads
//
//   #include "linear/linear.h"                 // ordinary headers first: they are read once
//   #define UPS_SIMD_SOURCE "linear/linear.cpu.cc"
//   #include "lib/simd/each_isa.h"
//   #include "lib/dense/matmul.simd.h"         // *.simd.h: read once per instruction set
//   UPS_SIMD_BEGIN
//   ... kernels in terms of lib/simd/simd.h, then UPS_CPU_VARIANT(forward, LinearForwardCall, ...)
//   UPS_SIMD_END
//
// This header makes the compiler read the source again for every instruction set but the last,
// which is the reading already under way (as Highway's foreach_target does). What lies between
// BEGIN and END is in a namespace of its own (upsilon::avx2 ...) and in a target region, so no
// instruction of a wider set leaks into code that any processor runs. No include guard: it is meant
// to be read several times.
//
// A *.simd.h includes what it needs, as any header does, and is guarded once per instruction set:
// UPS_SIMD_TOGGLE changes with every reading, and a header whose guard agrees with it has not been
// read yet.
//
// UPS_WITHOUT_AVX512: for processors that have none, to compile faster.

// clang-format off: macros that open and close scopes, and the order of what is defined and read
#ifndef UPS_SIMD_READING
#define UPS_SIMD_READING
#include "lib/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(UPS_ONLY_LANES16)
// The 16-lane source in AVX2 instructions, for tests on machines without AVX-512.
#define UPS_ISA lanes16
#define UPS_LANES 16
#define UPS_TARGET "avx2,fma"
#define UPS_HAS_AVX2
#else

#define UPS_ISA baseline
#define UPS_LANES 4
#define UPS_TARGET "sse2"
#include UPS_SIMD_SOURCE
#include "lib/simd/next_isa.h"

#if !defined(UPS_WITHOUT_AVX512)
#define UPS_ISA avx2
#define UPS_LANES 8
#define UPS_TARGET "avx2,fma"
#define UPS_HAS_AVX2
#include UPS_SIMD_SOURCE
#include "lib/simd/next_isa.h"
#endif

#if defined(UPS_WITHOUT_AVX512)
#define UPS_ISA avx2
#define UPS_LANES 8
#define UPS_TARGET "avx2,fma"
#define UPS_HAS_AVX2
#else
#define UPS_ISA avx512
#define UPS_LANES 16
#define UPS_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
#define UPS_HAS_AVX512
#endif
#endif
#else
#define UPS_ISA baseline  // the compiler's 4-lane vectors: NEON on arm64
#define UPS_LANES 4
#endif

#endif  // UPS_SIMD_READING

#undef UPS_SIMD_BEGIN
#undef UPS_SIMD_END
#undef UPS_SIMD_SHARED_BEGIN
#undef UPS_SIMD_SHARED_END
#define UPS_PRAGMA_(text) _Pragma(#text)
#define UPS_PRAGMA(text) UPS_PRAGMA_(text)
#if !defined(__x86_64__)
#define UPS_TARGET_BEGIN
#define UPS_TARGET_END
#elif defined(__clang__)
#define UPS_TARGET_BEGIN UPS_PRAGMA(clang attribute push(__attribute__((target(UPS_TARGET))), apply_to = function))
#define UPS_TARGET_END UPS_PRAGMA(clang attribute pop)
#else
#define UPS_TARGET_BEGIN UPS_PRAGMA(GCC push_options) UPS_PRAGMA(GCC target(UPS_TARGET))
#define UPS_TARGET_END UPS_PRAGMA(GCC pop_options)
#endif
#define UPS_SIMD_BEGIN UPS_TARGET_BEGIN namespace upsilon::UPS_ISA { namespace {
#define UPS_SIMD_END } } UPS_TARGET_END
// The same without internal linkage: for routines compiled in one source and called from others
// (matmul, elementary).
#define UPS_SIMD_SHARED_BEGIN UPS_TARGET_BEGIN namespace upsilon::UPS_ISA {
#define UPS_SIMD_SHARED_END } UPS_TARGET_END

// Registers a kernel of the present instruction set: UPS_CPU_VARIANT(forward, LinearForwardCall,
// run, workspace)
#define UPS_CPU_VARIANT(entry, named, ...) \
  const VariantEntry entry##_variant{named::operation.name, Variant::UPS_ISA, KernelEntry{__VA_ARGS__}};
// The same for float64, which without such a variant the reference computes.
#define UPS_CPU_VARIANT_F64(entry, named, ...) \
  const VariantEntry entry##_f64_variant{named::operation.name, Variant::UPS_ISA, KernelEntry{__VA_ARGS__}, true};

#include "lib/simd/simd.h"
// clang-format on
