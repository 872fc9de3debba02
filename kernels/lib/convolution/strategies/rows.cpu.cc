// Where outputs are too few to use a number of the source often enough once it is loaded, taps
// along the width take their place: sums of a row of the source are made for each of them, in
// place, and are shifted against one another when they are added.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/strategies/rows.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/strategy.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

constexpr int row_vectors = 4, min_shifts = 2, max_shifts = 5;

// The taps of one row of places, those inside the grid.
struct RowTaps {
  int64_t channels, planes, rows;
  int64_t channel, plane, row;  // distances in the source
  int64_t weights_of_channel, weights_of_plane;
};

// sums[shift] = of every number of a row, the sum over channels, planes and rows of taps of the
// weight that lies so far along the width times source. Every load serves all shifts.
template <int shifts, int vectors>
void row_tile(const RowTaps& taps, const float* source, const int64_t* columns, const float* weights, float* result,
              int64_t result_row) {
  Floats sums[shifts][vectors] = {};
  for (int64_t c = 0; c < taps.channels; ++c)
    for (int64_t d = 0; d < taps.planes; ++d)
      for (int64_t h = 0; h < taps.rows; ++h) {
        const float* from = source + c * taps.channel + d * taps.plane + h * taps.row;
        const float* weight = weights + c * taps.weights_of_channel + d * taps.weights_of_plane + h * shifts;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
          const Floats x = load(from + columns[v]);
#pragma GCC unroll 8
          for (int k = 0; k < shifts; ++k) sums[k][v] = broadcast(weight[k]) * x + sums[k][v];
        }
      }
#pragma GCC unroll 8
  for (int k = 0; k < shifts; ++k)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store(result + k * result_row + columns[v], sums[k][v]);
}

using RowTile = void (*)(const RowTaps&, const float*, const int64_t*, const float*, float*, int64_t);
#define UPS_ROW_TILES(shifts) {row_tile<shifts, 1>, row_tile<shifts, 2>, row_tile<shifts, 3>, row_tile<shifts, 4>}
constexpr RowTile row_tiles[][row_vectors] = {UPS_ROW_TILES(2), UPS_ROW_TILES(3), UPS_ROW_TILES(4), UPS_ROW_TILES(5)};
#undef UPS_ROW_TILES
static_assert(std::size(row_tiles) == max_shifts - min_shifts + 1);

bool fits(const GatherGeometry& geometry) {
  const auto& [d, h, w] = geometry.axes;
  if (geometry.inputs == 0 || geometry.shape.taps() == 0) return false;
  if (w.of.kernel < min_shifts || w.of.kernel > max_shifts || w.of.stride != 1 || w.of.dilation != 1) return false;
  if (geometry.towards == Towards::fine && (d.of.stride > 1 || h.of.stride > 1)) return false;
  const int64_t first = std::max<int64_t>(w.first_shift, 0);
  const int64_t last = std::min(w.source, w.first_shift + w.places + w.span);
  return last - first >= lanes && w.first_shift >= -w.span && w.first_shift + w.places <= w.source + w.span;
}

bool preferred(const GatherGeometry& geometry) { return geometry.outputs <= 2; }

int64_t row_sums_floats(const Plan& plan) { return round_up(plan.axes[2].extent() + lanes, 16); }

void lay_out(Plan& plan, WorkspaceLayout& workspace) {
  cut_in_place(plan);
  plan.scratch_floats = (plan.axes[2].of.kernel + 1) * row_sums_floats(plan);
  plan.scratch = workspace.reserve<float>(plan.scratch_floats * plan.workers);
}

void prepare(const Plan&, const Operands&, Threads&) {}

// The taps of a place along an axis that are inside the grid, and what the first of them meets.
struct Inside {
  int64_t first = 0, count = 0, source = 0, step = 0;

  Inside(const GatherAxis& axis, int64_t place) {
    const bool coarse = axis.towards == Towards::coarse;
    step = coarse ? axis.of.dilation : -axis.of.dilation;
    for (int64_t k = axis.of.kernel - 1; k >= 0; --k) {
      const int64_t at = (coarse ? place * axis.of.stride - axis.of.padding : place + axis.of.padding) + k * step;
      if (at < 0 || at >= axis.source) continue;
      first = k;
      source = at;
      ++count;
    }
  }
};

// The part of a block along the width: what of the source it looks at, and room for the sums of
// each shift.
struct Line {
  int64_t begin, places, low, high;  // begin: of the source, where low is the first number that exists
  float *sums, *result;
  int64_t row;  // floats of the sums of one shift

  Line(const Plan& plan, const Block& block, float* scratch) {
    const GatherAxis& w = plan.axes[2];
    begin = block.begin[2] + w.first_shift;
    places = block.places[2];
    low = std::max<int64_t>(begin, 0);
    high = std::min(w.source, begin + places + w.span);
    row = row_sums_floats(plan);
    sums = scratch;
    result = scratch + w.of.kernel * row;
  }
};

// The sums of every shift along a line.
void sum_shifts(const RowTaps& taps, const Line& line, int64_t shifts, const float* source, const float* weights) {
  const int64_t vectors = ceil_div(line.high - line.low, lanes);
  const int64_t max_vectors = std::min<int64_t>(row_vectors, tile_outputs * tile_vectors / shifts);
  for (int64_t v = 0, here; v < vectors; v += here) {
    here = ceil_div(vectors - v, ceil_div(vectors - v, max_vectors));
    int64_t columns[row_vectors];  // from `low` on; the last vector is moved back to end with the row
    for (int64_t i = 0; i < here; ++i) columns[i] = std::min((v + i) * lanes, line.high - line.low - lanes);
    row_tiles[shifts - min_shifts][here - 1](taps, source, columns, weights, line.sums + line.low - line.begin,
                                             line.row);
  }
}

void add_shifts(const GatherAxis& w, const Line& line, float bias) {
  each_vector(line.places, [&](int64_t x, int64_t) {
    Floats sum = broadcast(bias);
    for (int64_t k = 0; k < w.of.kernel; ++k) sum += load(line.sums + k * line.row + w.shift(k) - w.first_shift + x);
    store(line.result + x, sum);
  });
}

// One output of one row of places.
void compute_row(const Plan& plan, const Operands& operands, const Line& line, const Block& block, int64_t output,
                 int64_t z, int64_t y) {
  const auto& [d, h, w] = plan.axes;
  const bool coarse = plan.towards == Towards::coarse;
  const int64_t taps = plan.shape.taps(), shifts = w.of.kernel, plane = h.source * w.source;
  const int64_t group = block.image % plan.shape.groups;
  const Inside planes(d, z), rows(h, y);
  const RowTaps row_taps{plan.inputs,
                         planes.count,
                         rows.count,
                         d.source * plane,
                         planes.step * plane,
                         rows.step * w.source,
                         coarse ? taps : plan.outputs * taps,
                         h.of.kernel * shifts};
  const float* const source = operands.source + block.image * plan.inputs * plan.source_places() +
                              planes.source * plane + rows.source * w.source + line.low;
  const int64_t first_row =
      coarse ? (group * plan.outputs + output) * plan.inputs : group * plan.inputs * plan.outputs + output;
  const float* const weights = operands.weight + first_row * taps + (planes.first * h.of.kernel + rows.first) * shifts;
  sum_shifts(row_taps, line, shifts, source, weights);
  add_shifts(w, line, operands.bias ? operands.bias[group * plan.outputs + output] : 0);
  activate_sums(line.result, line.places, operands.activation);
  std::copy_n(line.result, line.places,
              operands.result + (((block.image * plan.outputs + output) * d.result + z) * h.result + y) * w.result +
                  block.begin[2]);
}

void compute(const Plan& plan, const Operands& operands, const Block& block, int32_t worker) {
  const Line line(plan, block, plan.scratch + worker * plan.scratch_floats);
  std::fill_n(line.sums, plan.axes[2].of.kernel * line.row, 0.0f);  // what lies beyond the grid stays so
  for (int64_t o = block.first_output; o < block.first_output + block.outputs; ++o)
    for (int64_t z = block.begin[0]; z < block.begin[0] + block.places[0]; ++z)
      for (int64_t y = block.begin[1]; y < block.begin[1] + block.places[1]; ++y)
        compute_row(plan, operands, line, block, o, z, y);
}

}  // namespace

const Strategy rows_strategy{fits, preferred, lay_out, prepare, compute};

UPS_SIMD_SHARED_END
