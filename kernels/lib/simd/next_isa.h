// Ends the reading for one instruction set; part of each_isa.h.
#undef UPS_ISA
#undef UPS_LANES
#undef UPS_TARGET
#undef UPS_HAS_AVX2
#ifdef UPS_SIMD_TOGGLE
#undef UPS_SIMD_TOGGLE
#else
#define UPS_SIMD_TOGGLE
#endif
