#define UPS_SIMD_SOURCE "lib/dense/weight_gradient.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/weight_gradient.simd.h"

UPS_SIMD_SHARED_BEGIN

GroupSums::GroupSums(int64_t chunks_, int64_t floats_, WorkspaceLayout& workspace) : chunks(chunks_), floats(floats_) {
  constexpr int64_t max_groups = 16, max_sum_floats = int64_t{2} << 20;
  const int64_t affordable = max_sum_floats / std::max<int64_t>(floats, 1);
  groups = std::max<int64_t>(1, std::min({chunks, max_groups, affordable}));
  sums = workspace.reserve<float>(groups * floats);
}

void GroupSums::total(Threads& threads, int64_t first, int64_t length, float* result) const {
  add_in_order(threads, sums + first, groups, floats, length, result);
}

void add_weight_gradient(const float* dz, int64_t outputs, const float* x, int64_t inputs, int64_t rows, float* packed,
                         float* dweight, Ahead ahead) {
  const int64_t whole = inputs / panel_columns * panel_columns;
  if (whole > 0)
    multiply_transposed(dz, outputs, outputs, x, inputs, rows, whole, dweight, inputs, {nullptr, true, false}, ahead);
  if (whole == inputs) return;
  pack_panel(x, inputs, rows, inputs, whole / panel_columns, packed);
  multiply(Order::columns, dz, outputs, outputs, packed, rows, inputs - whole, dweight + whole, inputs,
           {nullptr, true, false});
}

UPS_SIMD_SHARED_END
