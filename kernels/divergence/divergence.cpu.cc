// Floor: two logarithms for each of some fifty bins: less than what a call costs, so the lanes have
// nothing to gain.
#include "divergence/divergence.h"
#include "divergence/sums.h"

#define UPS_SIMD_SOURCE "divergence/divergence.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

ups_status forward(const Call& call) {
  const DivergenceForward f(call);
  *f.value = divergence_of(f);
  return UPS_OK;
}

ups_status backward(const Call& call) {
  differentiate_divergence(DivergenceBackward(call));
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, DivergenceForwardCall, forward)
UPS_CPU_VARIANT(backward, DivergenceBackwardCall, backward)

UPS_SIMD_END
