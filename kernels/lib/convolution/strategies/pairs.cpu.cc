// Where the two taps of a place are two neighbours along the width, which no other place looks at,
// and no tap looks beyond the grid: vectors of the source are multiplied as they lie by pairs of
// weights, and neighbours are added at the end.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/strategies/pairs.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/products.simd.h"
#include "lib/simd/pairs.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

// Two numbers, over and over.
[[gnu::always_inline]] inline Floats broadcast_pair(const float* from) {
  typedef double Pairs __attribute__((vector_size(UPS_LANES * 4)));
  double pair;
  std::memcpy(&pair, from, sizeof pair);
  return reinterpret_cast<Floats>(pair - Pairs{});
}

// first[0] + first[1], first[2] + first[3], ... and so on through `second`.
inline Floats add_neighbours(Floats first, Floats second) {
  return even_lanes(first, second) + odd_lanes(first, second);
}

// One vector of places, which lies in two of the source.
template <int outputs>
void tile(const TileTaps& taps, const float* const* source, const float* weights, const float* bias, float* result) {
  Floats sums[outputs][2];
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) sums[o][v] = zero();
  const float* from = source[0];
  for (int64_t c = 0; c < taps.channels; ++c, from += taps.channel)
    for (int64_t t = 0; t < taps.count; ++t, weights += 2 * outputs) {
      Floats x[2];
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const float* const next = from + taps.offsets[t] + v * lanes;
        __builtin_prefetch(next + taps.ahead, 0, 2);
        x[v] = load(next);
      }
#pragma GCC unroll 8
      for (int o = 0; o < outputs; ++o) {
        const Floats weight = broadcast_pair(weights + 2 * o);
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) sums[o][v] = weight * x[v] + sums[o][v];
      }
    }
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
    store(result + o * lanes, add_neighbours(sums[o][0], sums[o][1]) + broadcast(bias ? bias[o] : 0));
}

constexpr Tiles tiles = {{{tile<1>},
                          {tile<2>},
                          {tile<3>},
                          {tile<4>},
#if UPS_LANES == 16
                          {tile<5>},
                          {tile<6>},
                          {tile<7>},
                          {tile<8>}
#endif
                         },
                         1};

bool fits(const GatherGeometry& geometry) {
  const auto& [d, h, w] = geometry.axes;
  if (geometry.towards == Towards::fine || geometry.inputs == 0 || geometry.shape.taps() == 0) return false;
  if (geometry.source_places() >= max_places_in_place || w.places < lanes) return false;
  for (const GatherAxis& axis : geometry.axes) {
    const auto& [fine, coarse, kernel, stride, padding, dilation] = axis.of;
    if (padding != 0 || (coarse - 1) * stride + (kernel - 1) * dilation >= fine) return false;
  }
  return w.of.kernel == 2 && w.of.stride == 2 && w.of.dilation == 1;
}

// A block is worth its copy where many tiles of outputs read it.
bool preferred(const GatherGeometry& geometry) { return geometry.outputs <= 4 * tile_outputs; }

void lay_out(Plan& plan, WorkspaceLayout& workspace) {
  cut_in_place(plan);
  const auto& [d, h, w] = plan.axes;
  const int64_t plane = h.source * w.source;
  plan.strides = {h.source_step * w.source, d.source_step * plane, 1, 1, 0, d.source * plane};
  lay_out_products(plan, workspace, true);
}

// A tap for two that are neighbours.
void fill_pairs_of_taps(const Plan& plan) {
  const auto& [d, h, w] = plan.axes;
  int64_t count = 0;
  for (int64_t kd = 0; kd < d.of.kernel; ++kd)
    for (int64_t kh = 0; kh < h.of.kernel; ++kh)
      plan.taps.offset[count++] = static_cast<int32_t>((kd * d.of.dilation * h.source + kh * h.of.dilation) * w.source);
  plan.taps.first[0] = 0;
  plan.taps.first[1] = count;
}

// For every tile of outputs: [channel][pair of taps][output][tap].
void prepare(const Plan& plan, const Operands& operands, Threads& threads) {
  fill_pairs_of_taps(plan);
  const int64_t tiles_of_group = ceil_div(plan.outputs, tile_outputs), pairs = plan.inputs * plan.shape.taps() / 2;
  threads.run(plan.shape.groups * tiles_of_group, [&](int64_t task, int32_t) {
    const int64_t in_group = task % tiles_of_group * tile_outputs;
    const int64_t first = task / tiles_of_group * plan.outputs + in_group;
    const int64_t outputs = std::min<int64_t>(tile_outputs, plan.outputs - in_group);
    const float* const from = operands.weight + first * pairs * 2;
    float* to = plan.packed + first * pairs * 2;
    for (int64_t pair = 0; pair < pairs; ++pair)
      for (int64_t o = 0; o < outputs; ++o, to += 2) std::copy_n(from + (o * pairs + pair) * 2, 2, to);
  });
}

// By rows; the last vector of a row is moved back to end with it, and computes some places twice.
int64_t find_segments(const Plan& plan, const Block& block, Segment* segments) {
  const auto [depth, height, width] = block.places;
  int64_t count = 0;
  for (int64_t d = 0; d < depth; ++d)
    for (int64_t h = 0; h < height; ++h)
      for (int64_t f = 0; f < width; f += lanes) {
        const int64_t place = std::min(f, width - lanes);
        segments[count++] = {static_cast<int32_t>(d * plan.strides.plane + h * plan.strides.row + 2 * place),
                             static_cast<int32_t>(d), static_cast<int32_t>(h), static_cast<int32_t>(place), lanes};
      }
  return count;
}

void compute(const Plan& plan, const Operands& operands, const Block& block, int32_t worker) {
  const float* const source = operands.source + block.image * plan.inputs * plan.source_places() +
                              block.begin[0] * plan.strides.plane + block.begin[1] * plan.strides.row +
                              2 * block.begin[2];
  Segment* const segments = plan.segments + worker * plan.max_segments;
  multiply(plan, operands, block, source, segments, find_segments(plan, block, segments), tiles);
}

}  // namespace

const Strategy pairs_strategy{fits, preferred, lay_out, prepare, compute};

UPS_SIMD_SHARED_END
