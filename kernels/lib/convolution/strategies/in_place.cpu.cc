// Where no tap looks beyond the grid and steps are 1, the source itself serves as the block.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/strategies/in_place.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/products.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

bool fits(const GatherGeometry& geometry) {
  const auto& [d, h, w] = geometry.axes;
  if (geometry.inputs == 0 || geometry.source_places() >= max_places_in_place || !geometry.stays_inside()) return false;
  if (d.source_step != 1 || h.source_step != 1 || w.source_step != 1) return false;
  return (h.places - 1) * w.source + w.places >= lanes;  // of a plane, for a vector that does not leave it
}

void lay_out(Plan& plan, WorkspaceLayout& workspace) {
  cut_in_place(plan);
  const auto& [d, h, w] = plan.axes;
  const int64_t row = w.source, plane = h.source * row, channel = d.source * plane;
  plan.strides = {row, plane, 1, 1, channel, channel};
  lay_out_products(plan, workspace, true);
}

void prepare(const Plan& plan, const Operands& operands, Threads& threads) {
  pack_weights(plan, threads, operands.weight);
}

void compute(const Plan& plan, const Operands& operands, const Block& block, int32_t worker) {
  const auto& [d, h, w] = plan.axes;
  const float* const source = operands.source + block.image * plan.inputs * plan.source_places() +
                              (block.begin[0] + d.first_shift) * plan.strides.plane +
                              (block.begin[1] + h.first_shift) * plan.strides.row + block.begin[2] + w.first_shift;
  Segment* const segments = plan.segments + worker * plan.max_segments;
  multiply(plan, operands, block, source, segments, find_segments(plan, block, true, segments), plain_tiles);
}

}  // namespace

const Strategy in_place_strategy{fits, always, lay_out, prepare, compute};

UPS_SIMD_SHARED_END
