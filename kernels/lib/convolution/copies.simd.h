// Copies of blocks of a source, with zeros where the grid ends; compiled in
// lib/convolution/copies.cpu.cc.
#if defined(UPS_LIB_CONVOLUTION_COPIES_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_COPIES_SIMD_H
#undef UPS_LIB_CONVOLUTION_COPIES_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_COPIES_SIMD_H
#endif

#include "lib/convolution/strategy.simd.h"

UPS_SIMD_SHARED_BEGIN

// Copies a block of `channels` channels from the source: phase by phase, zeros where the grid ends.
void load_block(const GatherAxis (&axes)[3], const BlockStrides& strides, const float* source, int64_t channels,
                const int64_t (&begin)[3], float* block);

// A strategy that multiplies copies of any strides. A derived strategy only cuts the plan and sets
// these fields.
void lay_out_copies(Plan& plan, WorkspaceLayout& workspace);
void prepare_copies(const Plan& plan, const Operands& operands, Threads& threads);
void multiply_copies(const Plan& plan, const Operands& operands, const Block& block, int32_t worker);

UPS_SIMD_SHARED_END

#endif
