// Blocks of the source are copied once for every shift along the width: rows are then no longer
// than the result's, and vectors run on from row to row. For rows that are shorter than a vector.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/strategies/shifts.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/copies.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

BlockStrides strides_of(const Plan& plan) {
  const auto& [d, h, w] = plan.axes;
  const int64_t row = w.block(), plane = row * h.extent(), copy = plane * d.extent(), copies = w.span + 1;
  return {row, plane, copy, copies, copy * copies, copy * copies * plan.source_phases()};
}

bool fits(const GatherGeometry& geometry) {
  const GatherAxis& w = geometry.axes[2];
  const double row = static_cast<double>(w.places) * static_cast<double>(w.span + 1);
  return smallest_block_floats(geometry.inputs, geometry.axes, row) <= static_cast<double>(max_block_floats);
}

// Where rows with room for all shifts would leave many lanes of a vector idle.
bool preferred(const GatherGeometry& geometry) {
  const auto& [d, h, w] = geometry.axes;
  if (w.places >= lanes || w.span >= w.places) return false;
  const int64_t with_room = ceil_div((h.places - 1) * w.extent() + w.places, lanes);
  return ceil_div(h.places * w.places, lanes) < std::min(h.places, with_room);
}

void lay_out(Plan& plan, WorkspaceLayout& workspace) {
  cut_copied(plan, [](const Plan& cut) { return cut.inputs * strides_of(cut).channel; });
  plan.strides = strides_of(plan);
  lay_out_copies(plan, workspace);
}

}  // namespace

const Strategy shifts_strategy{fits, preferred, lay_out, prepare_copies, multiply_copies};

UPS_SIMD_SHARED_END
