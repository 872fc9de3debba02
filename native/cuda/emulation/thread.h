// The built-in variables of a device thread and the barriers of its block.
#pragma once

#include "executor.h"

#define threadIdx (::ups::emu::current_thread->index)
#define blockIdx (::ups::emu::current_block)
#define blockDim (::ups::emu::current_block_dim)
#define gridDim (::ups::emu::current_grid_dim)

inline constexpr int warpSize = 32;

inline void __syncthreads(UPS_SITE) { ups::emu::barrier(false, site); }
inline int __syncthreads_count(int predicate UPS_AND_SITE) {
  return static_cast<int>(ups::emu::barrier(predicate != 0, site));
}
inline int __syncthreads_or(int predicate UPS_AND_SITE) { return ups::emu::barrier(predicate != 0, site) != 0; }
inline int __syncthreads_and(int predicate UPS_AND_SITE) { return ups::emu::barrier(predicate == 0, site) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu UPS_AND_SITE) { ups::emu::sync_warp(mask, site); }
