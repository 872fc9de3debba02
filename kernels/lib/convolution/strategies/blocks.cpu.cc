// Blocks of the source are copied, with room in their rows for all shifts along the width. Any
// geometry.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/strategies/blocks.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/copies.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

BlockStrides strides_of(const Plan& plan) {
  const auto& [d, h, w] = plan.axes;
  const int64_t row = w.extent(), plane = row * h.extent(), phase = plane * d.extent();
  return {row, plane, 1, 1, phase, phase * plan.source_phases()};
}

void lay_out(Plan& plan, WorkspaceLayout& workspace) {
  cut_copied(plan, [](const Plan& cut) { return cut.inputs * strides_of(cut).channel; });
  plan.strides = strides_of(plan);
  lay_out_copies(plan, workspace);
}

}  // namespace

const Strategy blocks_strategy{always, always, lay_out, prepare_copies, multiply_copies};

UPS_SIMD_SHARED_END
