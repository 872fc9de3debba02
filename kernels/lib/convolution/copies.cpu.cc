// A block of the source with zeros at its edges, made once per task, in L2, lets every tap be a
// constant distance.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/copies.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/copies.simd.h"
#include "lib/convolution/products.simd.h"
#include "lib/simd/pairs.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

// Every step-th element.
inline void copy_strided(const float* from, int64_t step, int64_t count, float* to) {
  if (step == 1) {
    each_vector(count, [&](int64_t k, int64_t here) { store_some(to + k, load_some(from + k, here), here); });
  } else if (step == 2) {
    // The element after the last one need not exist.
    each_vector(count, [&](int64_t k, int64_t here) {
      const int64_t low = std::min<int64_t>(2 * here - 1, lanes), high = 2 * here - 1 - low;
      const Floats pairs = load_some(from + 2 * k, low),
                   more = high > 0 ? load_first(from + 2 * k + lanes, high) : zero();
      store_some(to + k, even_lanes(pairs, more), here);
    });
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i * step];
  }
}

inline void fill_zeros(float* to, int64_t count) {
  each_vector(count, [&](int64_t k, int64_t here) { store_some(to + k, zero(), here); });
}

// Writes blocks, whose rows have `width` numbers.
struct BlockCopy {
  const GatherAxis &d, &h, &w;
  const int64_t (&begin)[3];
  int64_t width;

  // One source phase of one channel, `shift` places further along the width. Gives the end of what
  // is written.
  float* put_phase(const float* source, int64_t pd, int64_t ph, int64_t pw, int64_t shift, float* to) const {
    const int64_t residue = w.source_residue(pw), first = begin[2] + w.first_shift + shift;
    // Numbers of a row that lie on the grid.
    const int64_t low = std::clamp<int64_t>(-floor_div(residue, w.source_step) - first, 0, width);
    const int64_t high = std::clamp<int64_t>(-floor_div(residue - w.source, w.source_step) - first, low, width);
    const int64_t column = w.source_step * (first + low) + residue;
    const int64_t depth = d.extent(), height = h.extent(), row = width;
    for (int64_t jd = 0; jd < depth; ++jd) {
      const int64_t z = d.source_step * (begin[0] + d.first_shift + jd) + d.source_residue(pd);
      for (int64_t jh = 0; jh < height; ++jh, to += row) {
        const int64_t y = h.source_step * (begin[1] + h.first_shift + jh) + h.source_residue(ph);
        if (z < 0 || z >= d.source || y < 0 || y >= h.source) {
          fill_zeros(to, row);
          continue;
        }
        fill_zeros(to, low);
        if (high > low)
          copy_strided(source + (z * h.source + y) * w.source + column, w.source_step, high - low, to + low);
        fill_zeros(to + high, row - high);
      }
    }
    return to;
  }
};

// For tasks that are split among workers: loaded once for all of them.
void load_shared_blocks(const Plan& plan, const Operands& operands, Threads& threads) {
  constexpr int64_t channels = 16;
  const int64_t parts = ceil_div(plan.inputs, channels), of_channel = plan.source_places();
  threads.run(plan.all_blocks() * parts, [&](int64_t part, int32_t) {
    const int64_t first = part % parts * channels;
    const Block block = block_of(plan, part / parts * plan.splits);
    load_block(plan.axes, plan.strides, operands.source + (block.image * plan.inputs + first) * of_channel,
               std::min(channels, plan.inputs - first), block.begin,
               plan.scratch + block.number * plan.scratch_floats + first * plan.strides.channel);
  });
}

}  // namespace

void load_block(const GatherAxis (&axes)[3], const BlockStrides& strides, const float* source, int64_t channels,
                const int64_t (&begin)[3], float* block) {
  const auto& [d, h, w] = axes;
  const BlockCopy copy{d, h, w, begin, strides.row};
  for (int64_t c = 0; c < channels; ++c, source += d.source * h.source * w.source)
    for (int64_t pd = 0; pd < d.source_phases; ++pd)
      for (int64_t ph = 0; ph < h.source_phases; ++ph)
        for (int64_t pw = 0; pw < w.source_phases; ++pw)
          for (int64_t shift = 0; shift < strides.copies; ++shift)
            block = copy.put_phase(source, pd, ph, pw, shift, block);
}

void lay_out_copies(Plan& plan, WorkspaceLayout& workspace) {
  // Vectors that begin at the last places read beyond the last channel.
  plan.scratch_floats = round_up(plan.inputs * plan.strides.channel + lanes, 16);
  lay_out_products(plan, workspace, false);
  plan.scratch = workspace.reserve<float>(plan.scratch_floats * (plan.splits > 1 ? plan.all_blocks() : plan.workers));
}

void prepare_copies(const Plan& plan, const Operands& operands, Threads& threads) {
  pack_weights(plan, threads, operands.weight);
  if (plan.splits > 1) load_shared_blocks(plan, operands, threads);
}

void multiply_copies(const Plan& plan, const Operands& operands, const Block& block, int32_t worker) {
  const bool shared = plan.splits > 1;
  float* const copy = plan.scratch + (shared ? block.number : worker) * plan.scratch_floats;
  if (!shared)
    load_block(plan.axes, plan.strides, operands.source + block.image * plan.inputs * plan.source_places(), plan.inputs,
               block.begin, copy);
  Segment* const segments = plan.segments + worker * plan.max_segments;
  multiply(plan, operands, block, copy, segments, find_segments(plan, block, false, segments), plain_tiles);
}

UPS_SIMD_SHARED_END
