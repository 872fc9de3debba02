// Weights in the order in which tiles of outputs read them.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/pack.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/products.simd.h"
#include "lib/simd/transpose.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

inline void put_outputs(const float* from, int64_t outputs, float* to) {
  if (outputs == tile_outputs) std::memcpy(to, from, sizeof(float) * tile_outputs);
  else std::copy_n(from, outputs, to);
}

void find_packed_places(const Plan& plan) {
  std::fill_n(plan.packed_step, plan.shape.taps(), 0);  // of a tap that reaches no result
  for (int64_t phase = 0; phase < plan.phases(); ++phase) {
    const int64_t begin = plan.taps.first[phase], count = plan.taps.first[phase + 1] - begin;
    for (int64_t t = 0; t < count; ++t) {
      plan.packed_first[plan.taps.kernel[begin + t]] = plan.inputs * begin + t;
      plan.packed_step[plan.taps.kernel[begin + t]] = count;
    }
  }
}

// Rows of the weight, one for each output of a tile, `of_output` floats apart.
struct WeightRows {
  const float* from;
  int64_t outputs, length, of_output;
  int64_t ahead;  // distance in floats of what is read next
};

// Rows are turned in registers: squares of a tile's width, side by side. They begin with the first
// tap of a channel.
inline void pack_rows(const Plan& plan, WeightRows rows, int64_t channel, float* to) {
  const int64_t taps = plan.shape.taps();
  const int64_t *const packed_first = plan.packed_first, *const packed_step = plan.packed_step;
  int64_t tap = 0;
  each_vector(rows.length, [&](int64_t k, int64_t here) __attribute__((always_inline)) {
    Floats square[tile_outputs];
#pragma GCC unroll 8
    for (int o = 0; o < tile_outputs; ++o) {
      const float* const from = rows.from + o * rows.of_output + k;
      square[o] = o < rows.outputs ? load_some(from, here) : zero();
      __builtin_prefetch(from + rows.ahead);
    }
    transpose(square);
    alignas(64) float turned[tile_outputs * lanes];
#pragma GCC unroll 8
    for (int i = 0; i < tile_outputs; ++i) store(turned + i * lanes, square[i]);
    for (int64_t i = 0; i < here; ++i) {
      const float* of_tap = turned + i % tile_outputs * lanes + i / tile_outputs * tile_outputs;
      const int64_t step = packed_step[tap];
      if (step > 0) put_outputs(of_tap, rows.outputs, to + (packed_first[tap] + channel * step) * rows.outputs);
      if (++tap == taps) tap = 0, ++channel;
    }
  });
}

}  // namespace

void pack_weights(const Plan& plan, Threads& threads, const float* weight) {
  fill_taps(plan.axes, plan.strides, plan.taps);
  find_packed_places(plan);
  const int64_t taps = plan.shape.taps(), tiles_of_group = ceil_div(plan.outputs, tile_outputs);
  // Towards the coarse grid the channels of an output lie together; towards the fine grid a row is
  // of one channel.
  const bool coarse = plan.towards == Towards::coarse;
  const int64_t runs = coarse ? 1 : plan.inputs, run = coarse ? plan.inputs * taps : taps;
  threads.run(plan.shape.groups * tiles_of_group, [&](int64_t task, int32_t) {
    const int64_t group = task / tiles_of_group, first = task % tiles_of_group * tile_outputs;
    WeightRows rows{weight + (group * runs * plan.outputs + first) * run,
                    std::min<int64_t>(tile_outputs, plan.outputs - first), run, run, coarse ? 64 : plan.outputs * run};
    float* const to = plan.packed + (group * plan.outputs + first) * plan.inputs * taps;
    for (int64_t channel = 0; channel < runs; ++channel, rows.from += plan.outputs * run)
      pack_rows(plan, rows, channel, to);
  });
}

UPS_SIMD_SHARED_END
