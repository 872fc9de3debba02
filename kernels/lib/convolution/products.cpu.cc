// A convolution as a matrix product whose right side is never made: a tile of outputs x places
// stays in registers while the source channels and the taps run. Lanes lie along the places, so
// that any number of channels fills them, and weights are broadcast. Floor: 2 x products FLOP
// against the FMA peak.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/products.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/products.simd.h"
#include "lib/simd/pairs.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

template <int outputs, int vectors>
void tile(const TileTaps& taps, const float* const* source, const float* weights, const float* bias, float* result) {
  Floats sums[outputs][vectors];
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) sums[o][v] = bias ? broadcast(bias[o]) : zero();
  const float* from[vectors];
  for (int v = 0; v < vectors; ++v) from[v] = source[v];
  for (int64_t c = 0; c < taps.channels; ++c) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) __builtin_prefetch(from[v] + taps.ahead, 0, 2);
    for (int64_t t = 0; t < taps.count; ++t, weights += outputs) {
      const int64_t at = taps.offsets[t];
      Floats x[vectors];
#pragma GCC unroll 3
      for (int v = 0; v < vectors; ++v) x[v] = load(from[v] + at);
#pragma GCC unroll 8
      for (int o = 0; o < outputs; ++o) {
        const Floats weight = broadcast(weights[o]);
#pragma GCC unroll 3
        for (int v = 0; v < vectors; ++v) sums[o][v] = weight * x[v] + sums[o][v];
      }
    }
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) from[v] += taps.channel;
  }
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) store(result + (o * vectors + v) * lanes, sums[o][v]);
}

// to[0..count) = first[0], second[0], first[1], ...
inline void put_pairs(float* to, Floats first, Floats second, int64_t count) {
  store_some(to, low_pairs(first, second), std::min<int64_t>(count, lanes));
  if (count > lanes) store_some(to + lanes, high_pairs(first, second), count - lanes);
}

// The sums of a tile: of one phase, or of two that are interleaved along the width.
struct TileSums {
  const float* sums;
  int64_t first_output, outputs, vectors;
  int64_t phase[3];  // the first
  bool two_phases;
  int64_t channel, step;  // distances in the result: of channels, and of places along the width
};

// The places that a segment has in one row.
struct RowPart {
  const float* from;
  float* to;
  int64_t places, room;  // room: numbers from `to` to the end of the row
};

[[gnu::always_inline]] inline void put_row(TileSums tile, RowPart part) {
  const int64_t of_channel = tile.channel, of_output = tile.vectors * lanes, step = tile.step;
  const float* from = part.from;
  float* to = part.to;
  if (tile.two_phases) {
    const int64_t count = std::min(2 * part.places, part.room);
    for (int64_t o = 0; o < tile.outputs; ++o, from += of_output, to += of_channel)
      put_pairs(to, load(from), load(from + tile.outputs * of_output), count);
  } else if (step == 1) {
    for (int64_t o = 0; o < tile.outputs; ++o, from += of_output, to += of_channel)
      store_some(to, load(from), part.places);
  } else {
    const int64_t count = std::min(part.places, ceil_div(part.room, step));
    for (int64_t o = 0; o < tile.outputs; ++o, from += of_output, to += of_channel)
      for (int64_t i = 0; i < count; ++i) to[i * step] = from[i];
  }
}

// Writes the places of some vectors to the result, row by row, and skips what lies between the
// rows.
inline void put(const Plan& plan, const Block& block, const Segment* segments, TileSums tile, float* result) {
  const auto& [d, h, w] = plan.axes;
  const int64_t row_floats = plan.strides.row, rows = plan.strides.plane / row_floats;
  float* const images = result + (block.image * plan.outputs + tile.first_output) * tile.channel;
  for (int64_t v = 0; v < tile.vectors; ++v) {
    int64_t depth = segments[v].d, row = segments[v].h, place = segments[v].w, here = 0;
    for (int64_t lane = 0; lane < segments[v].count; lane += here, place += here) {
      if (place == row_floats) {
        place = 0;
        if (++row == rows) row = 0, ++depth;
      }
      here = std::min(segments[v].count - lane, row_floats - place);
      const int64_t z = d.result_step * (block.begin[0] + depth) + tile.phase[0];
      const int64_t y = h.result_step * (block.begin[1] + row) + tile.phase[1];
      if (row >= block.places[1] || place >= block.places[2] || z >= d.result || y >= h.result) continue;
      const int64_t x = w.result_step * (block.begin[2] + place) + tile.phase[2];
      put_row(tile, {tile.sums + v * lanes + lane, images + (z * h.result + y) * w.result + x,
                     std::min(here, block.places[2] - place), w.result - x});
    }
  }
}

// One tile of places, of the phases that share a place in depth and height. Tiles of outputs and
// phases run inside: what they read of the source stays in L1 or L2 while the weights pass.
void multiply_tile(const Plan& plan, const Operands& operands, const Block& block, const float* const* from,
                   const Segment* segments, int64_t vectors, int64_t ahead, int64_t rd, int64_t rh,
                   const Tiles& tiles) {
  const auto& [d, h, w] = plan.axes;
  // Two phases side by side are written as whole vectors.
  const int64_t together = w.phases == 2 ? 2 : 1, end = block.first_output + block.outputs;
  const int64_t first_of_group = block.image % plan.shape.groups * plan.outputs;
  alignas(64) float sums[(2 * tile_outputs * tile_vectors + 1) * lanes];
  for (int64_t o = block.first_output; o < end; o += tile_outputs) {
    const int64_t outputs = std::min<int64_t>(tile_outputs, end - o), size = outputs * vectors * lanes;
    const float* const weights = plan.packed + (first_of_group + o) * plan.inputs * plan.shape.taps();
    const float* const bias = operands.bias ? operands.bias + first_of_group + o : nullptr;
    for (int64_t rw = 0; rw < w.phases; rw += together) {
      for (int64_t p = 0; p < together; ++p) {
        const int64_t phase = (rd * h.phases + rh) * w.phases + rw + p, first = plan.taps.first[phase];
        const TileTaps taps{plan.taps.offset + first, plan.taps.first[phase + 1] - first, plan.inputs,
                            plan.strides.channel, ahead};
        tiles.of[outputs - 1][vectors - 1](taps, from, weights + plan.inputs * outputs * first, bias, sums + p * size);
      }
      activate_sums(sums, together * size, operands.activation);
      put(plan, block, segments,
          {sums, o, outputs, vectors, {rd, rh, rw}, together == 2, plan.result_places(), w.result_step},
          operands.result);
    }
  }
}

}  // namespace

#define UPS_TILES(outputs) {tile<outputs, 1>, tile<outputs, 2>, tile<outputs, 3>}
const Tiles plain_tiles = {{UPS_TILES(1), UPS_TILES(2), UPS_TILES(3), UPS_TILES(4),
#if UPS_LANES == 16
                            UPS_TILES(5), UPS_TILES(6), UPS_TILES(7), UPS_TILES(8)
#endif
                           },
                           tile_vectors};
#undef UPS_TILES

void multiply(const Plan& plan, const Operands& operands, const Block& block, const float* source,
              const Segment* segments, int64_t count, const Tiles& tiles) {
  for (int64_t rd = 0; rd < plan.axes[0].phases; ++rd)
    for (int64_t rh = 0; rh < plan.axes[1].phases; ++rh)
      for (int64_t s = 0, vectors; s < count; s += vectors) {
        vectors = ceil_div(count - s, ceil_div(count - s, tiles.max_vectors));
        const float* from[tile_vectors];
        for (int v = 0; v < vectors; ++v) from[v] = source + segments[s + v].start;
        const int64_t ahead = s + vectors < count ? segments[s + vectors].start - segments[s].start : 0;
        multiply_tile(plan, operands, block, from, segments + s, vectors, ahead, rd, rh, tiles);
      }
}

void lay_out_products(Plan& plan, WorkspaceLayout& workspace, bool in_place) {
  const int64_t taps = plan.shape.taps();
  const auto& [d, h, w] = plan.axes;
  plan.max_segments =
      d.block() * (!in_place || w.block() >= lanes ? h.block() * ceil_div(w.block(), lanes)
                                                   : ceil_div((h.block() - 1) * plan.strides.row + w.block(), lanes));
  plan.taps = {workspace.reserve<int32_t>(taps), workspace.reserve<int32_t>(taps),
               workspace.reserve<int64_t>(plan.phases() + 1)};
  plan.packed_first = workspace.reserve<int64_t>(taps);
  plan.packed_step = workspace.reserve<int64_t>(taps);
  plan.packed = workspace.reserve<float>(plan.shape.weight_count());
  plan.segments = workspace.reserve<Segment>(plan.max_segments * plan.workers);
}

int64_t find_segments(const Plan& plan, const Block& block, bool in_place, Segment* segments) {
  const int64_t row = plan.strides.row, plane = plan.strides.plane;
  const auto [depth, height, width] = block.places;
  const int64_t of_plane = (height - 1) * row + width, of_block = (depth - 1) * plane + of_plane;
  const int64_t by_rows = depth * height * ceil_div(width, lanes);
  const int64_t by_planes = depth * ceil_div(of_plane, lanes), by_block = ceil_div(of_block, lanes);
  int64_t count = 0;
  const auto add_run = [&](int64_t first, int64_t length) {
    for (int64_t f = 0; f < length; f += lanes) {
      const int64_t at = first + (in_place ? std::min(f, length - lanes) : f), in_plane = at % plane;
      segments[count++] = {static_cast<int32_t>(at), static_cast<int32_t>(at / plane),
                           static_cast<int32_t>(in_plane / row), static_cast<int32_t>(in_plane % row),
                           static_cast<int32_t>(std::min<int64_t>(lanes, first + length - at))};
    }
  };
  const bool rows_hold_vectors = !in_place || width >= lanes;
  // In place, vectors must not begin before a row of the source nor end behind it.
  if (rows_hold_vectors && by_rows <= by_planes && by_rows <= by_block) {
    for (int64_t d = 0; d < depth; ++d)
      for (int64_t h = 0; h < height; ++h) add_run(d * plane + h * row, width);
  } else if (by_planes <= by_block) {
    for (int64_t d = 0; d < depth; ++d) add_run(d * plane, of_plane);
  } else {
    add_run(0, of_block);
  }
  return count;
}

UPS_SIMD_SHARED_END
