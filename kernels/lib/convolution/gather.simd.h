// A grid from the other one: coarse = act(bias + fine * W), or fine = act(bias + the adjoint of
// coarse). Compiled in lib/convolution/gather.cpu.cc.
#if defined(UPS_LIB_CONVOLUTION_GATHER_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_GATHER_SIMD_H
#undef UPS_LIB_CONVOLUTION_GATHER_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_GATHER_SIMD_H
#endif

#include "lib/convolution/strategy.simd.h"

UPS_SIMD_SHARED_BEGIN

// Its constructor reserves its scratch memory.
class Gather {
 public:
  // `strategy`: a number in the list, or -1 for the preferred one.
  Gather(const Convolution& shape, Towards towards, int32_t workers, WorkspaceLayout& workspace, int32_t strategy = -1,
         bool with_moments = false);
  void run(Threads& threads, const Operands& operands) const;

  int32_t strategy() const { return strategy_; }  // its number

  static bool fits(const Convolution& shape, Towards towards, int32_t strategy);

 private:
  Plan plan_;
  int32_t strategy_;
};

UPS_SIMD_SHARED_END

#endif
