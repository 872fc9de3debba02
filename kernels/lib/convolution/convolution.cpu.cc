// Convolution as a matrix product whose right side is never made: a tile of outputs x places stays in registers while the
// source channels and the taps run. Lanes lie along the places, so that any number of channels fills them, and weights are
// broadcast. Floor: 2 x products FLOP against the FMA peak. A block of the source with zeros at its edges (made once per
// task, in L2) lets every tap be a constant distance; where no tap looks beyond the grid the source itself serves. Two kinds
// of layers leave a copied number too little to do and read the source as it lies: in_place_by_pairs and should_sum_rows.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/convolution.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/convolution.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/math/moments.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/transpose.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

constexpr int tile_vectors = 3;
#if UPS_LANES == 16
constexpr int tile_outputs = 8;  // 24 sums, 3 of the source, 1 weight: 28 of 32 registers
#else
constexpr int tile_outputs = 4;  // 12 sums, 3 of the source, 1 weight: 16 of 16
#endif

constexpr int64_t block_floats = 128 * 1024;  // half of an L2 of 1 MiB
constexpr int64_t least_places = 256;  // of a task
constexpr int64_t tasks_per_worker = 12, task_products = 256 * 1024;
constexpr int64_t tasks_with_moments = 24;  // of an image: their bits must not depend on workers and samples
constexpr int64_t moments_piece = 1024;  // stays in L1
constexpr int64_t least_cut_width = 512;
constexpr int64_t most_places = int64_t{1} << 30;  // of a source in place

#if UPS_LANES == 16
#define UPS_EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define UPS_ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define UPS_LOW_PAIRS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPS_HIGH_PAIRS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif UPS_LANES == 8
#define UPS_EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#define UPS_ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15
#define UPS_LOW_PAIRS 0, 8, 1, 9, 2, 10, 3, 11
#define UPS_HIGH_PAIRS 4, 12, 5, 13, 6, 14, 7, 15
#else
#define UPS_EVEN_LANES 0, 2, 4, 6
#define UPS_ODD_LANES 1, 3, 5, 7
#define UPS_LOW_PAIRS 0, 4, 1, 5
#define UPS_HIGH_PAIRS 2, 6, 3, 7
#endif

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
      store_some(to + k, __builtin_shufflevector(pairs, more, UPS_EVEN_LANES), here);
    });
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i * step];
  }
}

inline void fill_zeros(float* to, int64_t count) {
  each_vector(count, [&](int64_t k, int64_t here) { store_some(to + k, zero(), here); });
}

// to[0..count) = first[0], second[0], first[1], ...
inline void put_pairs(float* to, Floats first, Floats second, int64_t count) {
  store_some(to, __builtin_shufflevector(first, second, UPS_LOW_PAIRS), std::min<int64_t>(count, lanes));
  if (count > lanes) store_some(to + lanes, __builtin_shufflevector(first, second, UPS_HIGH_PAIRS), count - lanes);
}

// first[0] + first[1], first[2] + first[3], ... and so on through `second`.
inline Floats add_neighbours(Floats first, Floats second) {
  return __builtin_shufflevector(first, second, UPS_EVEN_LANES) + __builtin_shufflevector(first, second, UPS_ODD_LANES);
}

#undef UPS_EVEN_LANES
#undef UPS_ODD_LANES
#undef UPS_LOW_PAIRS
#undef UPS_HIGH_PAIRS

inline void put_outputs(const float* from, int64_t outputs, float* to) {
  if (outputs == tile_outputs) std::memcpy(to, from, sizeof(float) * tile_outputs);
  else std::copy_n(from, outputs, to);
}

struct TileTaps {
  const int32_t* offsets;
  int64_t count, channels, channel;
  int64_t ahead;  // floats from the first vector to that of the next tile, which is fetched meanwhile
};

// Two numbers, over and over.
[[gnu::always_inline]] inline Floats broadcast_pair(const float* from) {
  typedef double Pairs __attribute__((vector_size(UPS_LANES * 4)));
  double pair;
  std::memcpy(&pair, from, sizeof pair);
  return reinterpret_cast<Floats>(pair - Pairs{});
}

// sums[outputs][vectors] = bias + the sum over channels and taps of weight times source. Or of pairs of taps that are
// neighbours in the source, `beside` = 2: it lies in twice as many vectors, and neighbours are added at the end.
template <int outputs, int vectors, int beside>
void tile(const TileTaps& taps, const float* const* source, const float* weights, const float* bias, float* result) {
  constexpr int loads = vectors * beside;
  Floats sums[outputs][loads];
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
#pragma GCC unroll 3
    for (int v = 0; v < loads; ++v) sums[o][v] = bias && beside == 1 ? broadcast(bias[o]) : zero();
  const float* from[vectors];
  for (int v = 0; v < vectors; ++v) from[v] = source[v];
  for (int64_t c = 0; c < taps.channels; ++c) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors && beside == 1; ++v) __builtin_prefetch(from[v] + taps.ahead, 0, 2);
    for (int64_t t = 0; t < taps.count; ++t) {
      const int64_t at = taps.offsets[t];
      Floats x[loads];
#pragma GCC unroll 3
      for (int v = 0; v < loads; ++v) {
        const float* const next = from[v / beside] + at + v % beside * lanes;
        if (beside > 1) __builtin_prefetch(next + taps.ahead, 0, 2);
        x[v] = load(next);
      }
#pragma GCC unroll 8
      for (int o = 0; o < outputs; ++o) {
        const Floats weight = beside == 1 ? broadcast(weights[o]) : broadcast_pair(weights + 2 * o);
#pragma GCC unroll 3
        for (int v = 0; v < loads; ++v) sums[o][v] = weight * x[v] + sums[o][v];
      }
      weights += outputs * beside;
    }
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) from[v] += taps.channel;
  }
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) {
      float* const to = result + (o * vectors + v) * lanes;
      if constexpr (beside == 1) store(to, sums[o][v]);
      else store(to, add_neighbours(sums[o][2 * v], sums[o][2 * v + 1]) + broadcast(bias ? bias[o] : 0));
    }
}

using Tile = void (*)(const TileTaps&, const float* const*, const float*, const float*, float*);
#define UPS_TILES(outputs) {tile<outputs, 1, 1>, tile<outputs, 2, 1>, tile<outputs, 3, 1>}
constexpr Tile tiles[tile_outputs][tile_vectors] = {
    UPS_TILES(1), UPS_TILES(2), UPS_TILES(3), UPS_TILES(4),
#if UPS_LANES == 16
    UPS_TILES(5), UPS_TILES(6), UPS_TILES(7), UPS_TILES(8),
#endif
};
#undef UPS_TILES
constexpr Tile pair_tiles[tile_outputs] = {
    tile<1, 1, 2>, tile<2, 1, 2>, tile<3, 1, 2>, tile<4, 1, 2>,
#if UPS_LANES == 16
    tile<5, 1, 2>, tile<6, 1, 2>, tile<7, 1, 2>, tile<8, 1, 2>,
#endif
};

// The taps of one row of places, those inside the grid.
struct RowTaps {
  int64_t channels, planes, rows;
  int64_t channel, plane, row;  // distances in the source
  int64_t weights_of_channel, weights_of_plane;
};

// sums[shift] = of every number of a row, the sum over channels, planes and rows of taps of the weight that lies so far along
// the width times source. Every load serves all shifts.
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

constexpr int row_vectors = 4, least_shifts = 2, most_shifts = 5;
using RowTile = void (*)(const RowTaps&, const float*, const int64_t*, const float*, float*, int64_t);
#define UPS_ROW_TILES(shifts) {row_tile<shifts, 1>, row_tile<shifts, 2>, row_tile<shifts, 3>, row_tile<shifts, 4>}
constexpr RowTile row_tiles[][row_vectors] = {UPS_ROW_TILES(2), UPS_ROW_TILES(3), UPS_ROW_TILES(4), UPS_ROW_TILES(5)};
#undef UPS_ROW_TILES

void finish(float* sums, int64_t count, int32_t activation) {
  if (activation == UPS_ACTIVATION_RELU) {
    for (int64_t i = 0; i < count; i += lanes) {
      const Floats y = load(sums + i);
      store(sums + i, y < zero() ? zero() : y);
    }
  } else {
    activate_rows(sums, count, activation);
  }
}

}  // namespace

void load_block(const GatherAxis (&axes)[3], const BlockStrides& strides, const float* source, int64_t channels,
                const int64_t (&begin)[3], float* block) {
  const auto& [d, h, w] = axes;
  const int64_t depth = d.extent(), height = h.extent(), width = strides.row;
  const int64_t copies = strides.shift == 1 ? 1 : w.span + 1;
  for (int64_t c = 0; c < channels; ++c, source += d.source * h.source * w.source)
    for (int64_t pd = 0; pd < d.source_phases; ++pd)
      for (int64_t ph = 0; ph < h.source_phases; ++ph)
        for (int64_t pw = 0; pw < w.source_phases; ++pw)
          for (int64_t copy = 0; copy < copies; ++copy) {
            const int64_t residue = w.source_residue(pw), first = begin[2] + w.first_shift + copy;
            const int64_t low = std::clamp<int64_t>(-floor_div(residue, w.source_step) - first, 0, width);
            const int64_t high = std::clamp<int64_t>(-floor_div(residue - w.source, w.source_step) - first, low, width);
            const int64_t column = w.source_step * (first + low) + residue;
            for (int64_t jd = 0; jd < depth; ++jd) {
              const int64_t z = d.source_step * (begin[0] + d.first_shift + jd) + d.source_residue(pd);
              for (int64_t jh = 0; jh < height; ++jh, block += width) {
                const int64_t y = h.source_step * (begin[1] + h.first_shift + jh) + h.source_residue(ph);
                if (z < 0 || z >= d.source || y < 0 || y >= h.source) {
                  fill_zeros(block, width);
                  continue;
                }
                fill_zeros(block, low);
                if (high > low)
                  copy_strided(source + (z * h.source + y) * w.source + column, w.source_step, high - low, block + low);
                fill_zeros(block + high, width - high);
              }
            }
          }
}

Gather::Gather(const Convolution& shape, Towards towards, int32_t workers, Pieces& pieces, bool with_moments)
    : shape_(shape), inputs_(shape.coarse_channels), outputs_(shape.fine_channels), with_moments_(with_moments) {
  if (towards == Towards::coarse) std::swap(inputs_, outputs_);
  for (int a = 0; a < 3; ++a) axes_[a] = GatherAxis(shape.axes[a], towards);
  auto& [d, h, w] = axes_;
  in_place_ =
      inputs_ > 0 && d.source * h.source * w.source < most_places && (h.places - 1) * w.source + w.places >= lanes;
  for (const GatherAxis& axis : axes_) in_place_ = in_place_ && axis.source_step == 1 && axis.stays_inside();
  if (in_place_by_pairs()) in_place_ = true, beside_ = 2;
  sums_rows_ = should_sum_rows();
  in_place_ = in_place_ || sums_rows_;
  copies_shifts_ = should_copy_shifts();
  cut(workers);

  const int64_t row = in_place_ ? w.source : row_floats(), plane = row * (in_place_ ? h.source : h.extent());
  const int64_t copy = plane * (in_place_ ? d.source : d.extent()), phase = copy * shift_copies();
  strides_ = {row, plane, copies_shifts_ ? copy : 1, phase,
              phase * d.source_phases * h.source_phases * w.source_phases};
  if (beside_ > 1) strides_ = {h.source_step * row, d.source_step * plane, 1, 0, copy};
  // Vectors that begin at the last places read beyond the last channel.
  scratch_floats_ = sums_rows_  ? (w.of.kernel + 1) * round_up(w.extent() + lanes, 16)
                    : in_place_ ? 0
                                : round_up(inputs_ * strides_.channel + lanes, 16);
  most_segments_ = d.block() * (rows_hold_vectors(w.block()) ? h.block() * ceil_div(w.block(), lanes)
                                                             : ceil_div((h.block() - 1) * row + w.block(), lanes));
  taps_ = {pieces.take<int32_t>(shape.taps()), pieces.take<int32_t>(shape.taps()),
           pieces.take<int64_t>(d.phases * h.phases * w.phases + 1)};
  packed_first_ = pieces.take<int64_t>(shape.taps());
  packed_step_ = pieces.take<int64_t>(shape.taps());
  packed_ = pieces.take<float>(sums_rows_ ? 0 : shape.weight_count());
  scratch_ = pieces.take<float>(scratch_floats_ * (splits_ > 1 ? tasks() : workers));
  segments_ = pieces.take<Segment>(sums_rows_ ? 0 : most_segments_ * workers);
  moments_ = pieces.take<Moments>(with_moments ? tasks() * outputs_ : 0);
}

// Where the two taps of a place are two neighbours along the width, which no other place looks at, and no tap looks beyond
// the grid: vectors of the source are multiplied as they lie by pairs of weights, and neighbours are added at the end. A
// block is worth its copy where many tiles of outputs read it.
bool Gather::in_place_by_pairs() const {
  const auto& [d, h, w] = axes_;
  if (inputs_ == 0 || shape_.taps() == 0 || d.source * h.source * w.source >= most_places) return false;
  if (outputs_ > 4 * tile_outputs) return false;
  for (const GatherAxis& axis : axes_) {
    const auto& [fine, coarse, kernel, stride, padding, dilation] = axis.of;
    if (axis.towards == Towards::fine || padding != 0) return false;
    if ((coarse - 1) * stride + (kernel - 1) * dilation >= fine) return false;
  }
  return w.of.kernel == 2 && w.of.stride == 2 && w.of.dilation == 1 && w.places >= lanes;
}

// Where outputs are too few to use a number of the source often enough once it is loaded: taps along the width take their
// place. Sums of a row are made for each of them, in place, and are shifted against one another when they are added.
bool Gather::should_sum_rows() const {
  const auto& [d, h, w] = axes_;
  if (inputs_ == 0 || shape_.taps() == 0 || outputs_ > 2 || beside_ > 1) return false;
  if (w.of.kernel < least_shifts || w.of.kernel > most_shifts || w.of.stride != 1 || w.of.dilation != 1) return false;
  if (w.towards == Towards::fine && (d.of.stride > 1 || h.of.stride > 1)) return false;
  const int64_t first = std::max<int64_t>(w.first_shift, 0);
  const int64_t last = std::min(w.source, w.first_shift + w.places + w.span);
  return last - first >= lanes && w.first_shift >= -w.span && w.first_shift + w.places <= w.source + w.span;
}

// Where rows are shorter than a vector, and those with room for all shifts would leave many of its lanes idle.
bool Gather::should_copy_shifts() const {
  const auto& [d, h, w] = axes_;
  if (in_place_ || w.places >= lanes || w.span >= w.places) return false;
  const int64_t with_room = ceil_div((h.places - 1) * w.extent() + w.places, lanes);
  return ceil_div(h.places * w.places, lanes) < std::min(h.places, with_room);
}

// Into blocks that fit a cache, and into so many tasks that workers end together.
void Gather::cut(int32_t workers) {
  auto& [d, h, w] = axes_;
  const double products_of_sample =
      static_cast<double>(shape_.weight_count()) * static_cast<double>(shape_.coarse_places());
  const auto tasks_for = [](double products, int64_t most) {
    return static_cast<int64_t>(std::clamp(products / task_products, 1.0, static_cast<double>(most)));
  };
  const int64_t wanted =
      tasks_for(static_cast<double>(shape_.samples) * products_of_sample, tasks_per_worker * workers);
  const int64_t wanted_of_image =
      tasks_for(products_of_sample / static_cast<double>(std::max<int64_t>(shape_.groups, 1)), tasks_with_moments);
  const int64_t source_phases = d.source_phases * h.source_phases * w.source_phases;
  for (;;) {
    const bool large =
        !in_place_ && inputs_ * source_phases * d.extent() * h.extent() * row_floats() * shift_copies() > block_floats;
    const bool few = (with_moments_ ? blocks() < wanted_of_image : tasks() < wanted) &&
                     d.block() * h.block() * w.block() > least_places;
    if (!large && !few) break;
    const auto smaller = [](const GatherAxis& axis) { return std::min(axis.places, 2 * axis.blocks); };
    GatherAxis* axis = nullptr;
    if (d.block() > 1) axis = &d;
    else if (h.block() > 1 && (!in_place_ || (h.places / smaller(h) - 1) * w.source + w.places >= lanes)) axis = &h;
    else if (w.block() >= least_cut_width) axis = &w;
    if (!axis) break;
    axis->blocks = smaller(*axis);
  }
  if (tasks() < wanted)
    splits_ = std::min(ceil_div(wanted, std::max<int64_t>(tasks(), 1)), ceil_div(outputs_, tile_outputs));
  splits_ = std::max<int64_t>(splits_, 1);
}

// For every tile of outputs: by phase, [channel][tap][output]. Rows of the weight, a tile of outputs of them, are turned in
// registers: squares of a tile's width, side by side.
void Gather::pack(Threads& threads, const float* weight) const {
  const int64_t taps = shape_.taps(), tiles_of_group = ceil_div(outputs_, tile_outputs);
  const bool coarse = axes_[0].towards == Towards::coarse;
  const int64_t runs = coarse ? 1 : inputs_, run = coarse ? inputs_ * taps : taps;  // what lies behind one another
  // What is read next lies further on in the rows, or in those of the next channel.
  const int64_t ahead = coarse ? 64 : outputs_ * run;
  std::fill_n(packed_step_, taps, 0);  // of a tap that reaches no result
  for (int64_t phase = 0; phase < axes_[0].phases * axes_[1].phases * axes_[2].phases; ++phase) {
    const int64_t begin = taps_.first[phase], count = taps_.first[phase + 1] - begin;
    for (int64_t t = 0; t < count; ++t) {
      packed_first_[taps_.kernel[begin + t]] = inputs_ * begin + t;
      packed_step_[taps_.kernel[begin + t]] = count;
    }
  }
  threads.run(shape_.groups * tiles_of_group, [&](int64_t task, int32_t) {
    const int64_t group = task / tiles_of_group, first = task % tiles_of_group * tile_outputs;
    const int64_t outputs = std::min<int64_t>(tile_outputs, outputs_ - first);
    const float* from = weight + (group * runs * outputs_ + first) * run;
    float* to = packed_ + (group * outputs_ + first) * inputs_ * taps;
    int64_t channel = 0, tap = 0;
    for (int64_t r = 0; r < runs; ++r, from += outputs_ * run)
      each_vector(run, [&](int64_t k, int64_t here) {
        Floats rows[tile_outputs];
#pragma GCC unroll 8
        for (int o = 0; o < tile_outputs; ++o) {
          rows[o] = o < outputs ? load_some(from + o * run + k, here) : zero();
          __builtin_prefetch(from + o * run + k + ahead);
        }
        transpose(rows);
        alignas(64) float turned[tile_outputs * lanes];
#pragma GCC unroll 8
        for (int i = 0; i < tile_outputs; ++i) store(turned + i * lanes, rows[i]);
        for (int64_t i = 0; i < here; ++i) {
          const float* of_tap = turned + i % tile_outputs * lanes + i / tile_outputs * tile_outputs;
          if (packed_step_[tap] > 0)
            put_outputs(of_tap, outputs, to + (packed_first_[tap] + channel * packed_step_[tap]) * outputs);
          if (++tap == taps) tap = 0, ++channel;
        }
      });
  });
}

// Of taps that lie side by side the first one.
void Gather::fill_rows_of_taps() const {
  const auto& [d, h, w] = axes_;
  int64_t count = 0;
  for (int64_t kd = 0; kd < d.of.kernel; ++kd)
    for (int64_t kh = 0; kh < h.of.kernel; ++kh)
      taps_.offset[count++] = static_cast<int32_t>((kd * d.of.dilation * h.source + kh * h.of.dilation) * w.source);
  taps_.first[0] = 0;
  taps_.first[1] = count;
}

// For every tile of outputs: [channel][row of taps][output][tap].
void Gather::pack_pairs(Threads& threads, const float* weight) const {
  const int64_t tiles_of_group = ceil_div(outputs_, tile_outputs), rows = inputs_ * shape_.taps() / beside_;
  threads.run(shape_.groups * tiles_of_group, [&](int64_t task, int32_t) {
    const int64_t first = task / tiles_of_group * outputs_ + task % tiles_of_group * tile_outputs;
    const int64_t outputs = std::min<int64_t>(tile_outputs, outputs_ - task % tiles_of_group * tile_outputs);
    const float* from = weight + first * rows * beside_;
    float* to = packed_ + first * rows * beside_;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t o = 0; o < outputs; ++o, to += beside_) std::copy_n(from + (o * rows + row) * beside_, beside_, to);
  });
}

// Of tasks that are split among workers: loaded once for all.
void Gather::load_blocks(Threads& threads, const float* source) const {
  constexpr int64_t channels = 16;
  const int64_t parts = ceil_div(inputs_, channels), of_channel = axes_[0].source * axes_[1].source * axes_[2].source;
  threads.run(tasks() * parts, [&](int64_t part, int32_t) {
    const int64_t task = part / parts, first = part % parts * channels;
    const Block block = block_of(task * splits_);
    load_block(axes_, strides_, source + (block.image * inputs_ + first) * of_channel,
               std::min(channels, inputs_ - first), block.begin,
               scratch_ + task * scratch_floats_ + first * strides_.channel);
  });
}

Gather::Block Gather::block_of(int64_t task) const {
  Block block;
  const int64_t tiles_of_group = ceil_div(outputs_, tile_outputs), split = task % splits_;
  block.first_output = tiles_of_group * split / splits_ * tile_outputs;
  block.outputs = std::min(outputs_, tiles_of_group * (split + 1) / splits_ * tile_outputs) - block.first_output;
  task /= splits_;
  for (int a = 2; a >= 0; --a) {
    const int64_t at = task % axes_[a].blocks;
    task /= axes_[a].blocks;
    block.begin[a] = axes_[a].begin(at);
    block.places[a] = axes_[a].begin(at + 1) - block.begin[a];
  }
  block.image = task;
  return block;
}

// The vectors that cover a block: along rows, or running on from row to row, or from plane to plane, whichever takes the
// fewest. In place, the last vector of a run is moved back to end with it, and computes some places twice.
int64_t Gather::find_segments(const Block& block, Segment* segments) const {
  const int64_t depth = block.places[0], height = block.places[1], width = beside_ * block.places[2];
  const int64_t of_plane = (height - 1) * strides_.row + width, of_block = (depth - 1) * strides_.plane + of_plane;
  const int64_t by_rows = depth * height * ceil_div(width, lanes);
  const int64_t by_planes = depth * ceil_div(of_plane, lanes), by_block = ceil_div(of_block, lanes);
  int64_t count = 0;
  const auto add_run = [&](int64_t first, int64_t length) {
    for (int64_t f = 0; f < length; f += beside_ * lanes) {
      const int64_t at = first + (in_place_ ? std::min(f, length - beside_ * lanes) : f),
                    in_plane = at % strides_.plane;
      segments[count++] = {static_cast<int32_t>(at), static_cast<int32_t>(at / strides_.plane),
                           static_cast<int32_t>(in_plane / strides_.row),
                           static_cast<int32_t>(in_plane % strides_.row / beside_),
                           static_cast<int32_t>(std::min<int64_t>(lanes, first + length - at))};
    }
  };
  if (beside_ > 1 || (rows_hold_vectors(width) && by_rows <= by_planes && by_rows <= by_block)) {
    for (int64_t d = 0; d < depth; ++d)
      for (int64_t h = 0; h < height; ++h) add_run(d * strides_.plane + h * strides_.row, width);
  } else if (by_planes <= by_block) {
    for (int64_t d = 0; d < depth; ++d) add_run(d * strides_.plane, of_plane);
  } else {
    add_run(0, of_block);
  }
  return count;
}

// Writes the places of some vectors to the result: row by row, and what lies between them is passed over.
void Gather::put(const Block& block, const Segment* segments, int64_t vectors, const int64_t (&phase)[3],
                 int64_t together, int64_t first_output, int64_t outputs, const float* sums, float* result) const {
  const auto& [d, h, w] = axes_;
  const int64_t of_channel = d.result * h.result * w.result, rows = strides_.plane / strides_.row;
  float* const images = result + (block.image * outputs_ + first_output) * of_channel;
  for (int v = 0; v < vectors; ++v) {
    int64_t depth = segments[v].d, row = segments[v].h, place = segments[v].w, here = 0;
    for (int64_t lane = 0; lane < segments[v].count; lane += here, place += here) {
      if (place == strides_.row) {
        place = 0;
        if (++row == rows) row = 0, ++depth;
      }
      here = std::min(segments[v].count - lane, strides_.row - place);
      const int64_t z = d.result_step * (block.begin[0] + depth) + phase[0];
      const int64_t y = h.result_step * (block.begin[1] + row) + phase[1];
      if (row >= block.places[1] || place >= block.places[2] || z >= d.result || y >= h.result) continue;
      const int64_t x = w.result_step * (block.begin[2] + place) + phase[2];
      const int64_t wanted = std::min(here, block.places[2] - place);
      const float* from = sums + v * lanes + lane;
      float* to = images + (z * h.result + y) * w.result + x;
      if (together == 2) {
        const int64_t count = std::min(2 * wanted, w.result - x);
        for (int64_t o = 0; o < outputs; ++o, from += vectors * lanes, to += of_channel)
          put_pairs(to, load(from), load(from + outputs * vectors * lanes), count);
      } else if (w.result_step == 1) {
        for (int64_t o = 0; o < outputs; ++o, from += vectors * lanes, to += of_channel)
          store_some(to, load(from), wanted);
      } else {
        const int64_t count = std::min(wanted, ceil_div(w.result - x, w.result_step));
        for (int64_t o = 0; o < outputs; ++o, from += vectors * lanes, to += of_channel)
          for (int64_t i = 0; i < count; ++i) to[i * w.result_step] = from[i];
      }
    }
  }
}

// Tiles of places outside, tiles of outputs inside: what a tile reads of the source stays in L1 or L2 while the weights
// pass.
void Gather::compute(const Block& block, const float* source, const Segment* segments, int64_t count, const float* bias,
                     int32_t activation, float* result) const {
  const auto& [d, h, w] = axes_;
  const int64_t taps = shape_.taps(), group = block.image % shape_.groups;
  // Two phases side by side are written as whole vectors.
  const int64_t together = w.phases == 2 ? 2 : 1;
  alignas(64) float sums[(2 * tile_outputs * tile_vectors + 1) * lanes];
  for (int64_t rd = 0; rd < d.phases; ++rd)
    for (int64_t rh = 0; rh < h.phases; ++rh)
      for (int64_t s = 0, vectors; s < count; s += vectors) {
        vectors = beside_ > 1 ? 1 : ceil_div(count - s, ceil_div(count - s, tile_vectors));
        const float* from[tile_vectors];
        for (int v = 0; v < vectors; ++v) from[v] = source + segments[s + v].start;
        const int64_t ahead = s + vectors < count ? segments[s + vectors].start - segments[s].start : 0;
        for (int64_t o = block.first_output; o < block.first_output + block.outputs; o += tile_outputs) {
          const int64_t outputs = std::min<int64_t>(tile_outputs, block.first_output + block.outputs - o);
          const int64_t size = outputs * vectors * lanes;
          const float* weights = packed_ + (group * outputs_ + o) * inputs_ * taps;
          for (int64_t rw = 0; rw < w.phases; rw += together) {
            for (int64_t p = 0; p < together; ++p) {
              const int64_t phase = (rd * h.phases + rh) * w.phases + rw + p, first = taps_.first[phase];
              (beside_ > 1 ? pair_tiles[outputs - 1] : tiles[outputs - 1][vectors - 1])(
                  {taps_.offset + first, taps_.first[phase + 1] - first, inputs_, strides_.channel, ahead}, from,
                  weights + inputs_ * outputs * first, bias ? bias + group * outputs_ + o : nullptr, sums + p * size);
            }
            finish(sums, together * size, activation);
            put(block, segments + s, vectors, {rd, rh, rw}, together, o, outputs, sums, result);
          }
        }
      }
}

// Of what a block has written, which is in a cache still.
void Gather::take_moments(const Block& block, int64_t number, const float* result) const {
  int64_t begin[3], extent[3];
  for (int a = 0; a < 3; ++a) {
    const GatherAxis& axis = axes_[a];
    begin[a] = axis.result_step * block.begin[a];
    extent[a] = std::min(axis.result, axis.result_step * (block.begin[a] + block.places[a])) - begin[a];
  }
  const int64_t of_row = axes_[2].result, of_plane = axes_[1].result * of_row, of_channel = axes_[0].result * of_plane;
  // What lies together: whole rows are one run, and whole planes too.
  auto [planes, rows, run] = extent;
  if (run == of_row) run *= rows, rows = 1;
  if (run == of_plane) run *= planes, planes = 1;
  for (int64_t o = block.first_output; o < block.first_output + block.outputs; ++o) {
    const int64_t channel = block.image * outputs_ + o;
    const float* first = result + channel * of_channel + begin[0] * of_plane + begin[1] * of_row + begin[2];
    Moments found;
    for (int64_t p = 0; p < planes; ++p)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < run; i += moments_piece)
          found.join(moments_of(first + p * of_plane + r * of_row + i, std::min(moments_piece, run - i)));
    moments_[channel * blocks() + number] = found;
  }
}

void Gather::join_moments(Threads& threads, double* moments) const {
  threads.run(shape_.samples * shape_.groups, [&](int64_t image, int32_t) {
    for (int64_t channel = image * outputs_; channel < (image + 1) * outputs_; ++channel) {
      Moments all;
      for (int64_t b = 0; b < blocks(); ++b) all.join(moments_[channel * blocks() + b]);
      moments[2 * channel] = all.mean;
      moments[2 * channel + 1] = all.variance();
    }
  });
}

// The block by rows of the source; see should_sum_rows.
void Gather::sum_rows(const Block& block, const float* source, const float* weight, const float* bias,
                      int32_t activation, float* scratch, float* result) const {
  const auto& [d, h, w] = axes_;
  const bool coarse = w.towards == Towards::coarse;
  const int64_t taps = shape_.taps(), group = block.image % shape_.groups, shifts = w.of.kernel;
  const int64_t plane = h.source * w.source, row_sums = round_up(w.extent() + lanes, 16);
  const int64_t begin = block.begin[2] + w.first_shift, places = block.places[2];
  const int64_t low = std::max<int64_t>(begin, 0), high = std::min(w.source, begin + places + w.span);
  const int64_t all_vectors = ceil_div(high - low, lanes);
  float* const y = scratch + shifts * row_sums;
  std::fill_n(scratch, shifts * row_sums, 0.0f);  // what lies beyond the grid stays so
  // The taps of a place that are inside, and what the first of them meets.
  struct Inside {
    int64_t first = 0, count = 0, source = 0, step;
  };
  const auto inside = [&](const GatherAxis& axis, int64_t place) {
    Inside found{.step = coarse ? axis.of.dilation : -axis.of.dilation};
    for (int64_t k = axis.of.kernel - 1; k >= 0; --k) {
      const int64_t at = (coarse ? place * axis.of.stride - axis.of.padding : place + axis.of.padding) + k * found.step;
      if (at < 0 || at >= axis.source) continue;
      found.first = k, found.source = at, ++found.count;
    }
    return found;
  };
  const int64_t most = std::min<int64_t>(row_vectors, tile_outputs * tile_vectors / shifts);
  for (int64_t o = 0; o < outputs_; ++o) {
    const float* const weights =
        weight + (coarse ? (group * outputs_ + o) * inputs_ : group * inputs_ * outputs_ + o) * taps;
    for (int64_t z = block.begin[0]; z < block.begin[0] + block.places[0]; ++z)
      for (int64_t line = block.begin[1]; line < block.begin[1] + block.places[1]; ++line) {
        const Inside planes = inside(d, z), rows = inside(h, line);
        const RowTaps row_taps{inputs_,
                               planes.count,
                               rows.count,
                               d.source * plane,
                               planes.step * plane,
                               rows.step * w.source,
                               coarse ? taps : outputs_ * taps,
                               h.of.kernel * shifts};
        const float* const from = source + planes.source * plane + rows.source * w.source + low;
        const float* const first_weight = weights + (planes.first * h.of.kernel + rows.first) * shifts;
        for (int64_t v = 0, vectors; v < all_vectors; v += vectors) {
          vectors = ceil_div(all_vectors - v, ceil_div(all_vectors - v, most));
          int64_t columns[row_vectors];  // from `low` on; the last vector is moved back to end with the row
          for (int64_t i = 0; i < vectors; ++i) columns[i] = std::min((v + i) * lanes, high - low - lanes);
          row_tiles[shifts - least_shifts][vectors - 1](row_taps, from, columns, first_weight, scratch + low - begin,
                                                        row_sums);
        }
        each_vector(places, [&](int64_t x, int64_t) {
          Floats sum = broadcast(bias ? bias[group * outputs_ + o] : 0);
          for (int64_t k = 0; k < shifts; ++k) sum += load(scratch + k * row_sums + w.shift(k) - w.first_shift + x);
          store(y + x, sum);
        });
        finish(y, places, activation);
        std::copy_n(
            y, places,
            result + (((block.image * outputs_ + o) * d.result + z) * h.result + line) * w.result + block.begin[2]);
      }
  }
}

void Gather::run(Threads& threads, const float* source, const float* weight, const float* bias, int32_t activation,
                 float* result, double* moments) const {
  const auto& [d, h, w] = axes_;
  if (shape_.samples * shape_.groups * outputs_ * d.result * h.result * w.result == 0)
    return clear(moments, 2 * shape_.samples * shape_.groups * outputs_);
  if (beside_ > 1) {
    fill_rows_of_taps();
    pack_pairs(threads, weight);
  } else if (!sums_rows_) {
    fill_taps(axes_, strides_, taps_);
    pack(threads, weight);
  }
  const bool shared = splits_ > 1;
  if (shared && !in_place_) load_blocks(threads, source);
  threads.run(tasks() * splits_, [&](int64_t task, int32_t worker) {
    const Block block = block_of(task);
    const float* from = source + block.image * inputs_ * d.source * h.source * w.source;
    if (sums_rows_) {
      sum_rows(block, from, weight, bias, activation, scratch_ + worker * scratch_floats_, result);
    } else {
      if (in_place_) {
        from += (block.begin[0] + d.first_shift) * strides_.plane + (block.begin[1] + h.first_shift) * strides_.row +
                beside_ * block.begin[2] + w.first_shift;
      } else {
        float* const scratch = scratch_ + (shared ? task / splits_ : worker) * scratch_floats_;
        if (!shared) load_block(axes_, strides_, from, inputs_, block.begin, scratch);
        from = scratch;
      }
      Segment* segments = segments_ + worker * most_segments_;
      compute(block, from, segments, find_segments(block, segments), bias, activation, result);
    }
    if (moments) take_moments(block, task / splits_ % blocks(), result);
  });
  if (moments) join_moments(threads, moments);
}

void channel_sums(Threads& threads, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result) {
  constexpr int64_t chunk = 4096;
  threads.run(samples * channels, [&](int64_t row, int32_t) {
    double sum = 0;
    for (int64_t first = 0; first < places; first += chunk) {
      const float* from = values + row * places + first;
      const int64_t count = std::min(chunk, places - first);
      Floats sums[4] = {};
      int64_t i = 0;
      for (; i + 4 * lanes <= count; i += 4 * lanes)
        for (int v = 0; v < 4; ++v) sums[v] += load(from + i + v * lanes);
      each_vector(count - i, [&](int64_t k, int64_t here) { sums[0] += load_some(from + i + k, here); });
      sum += sum_pairwise((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
    parts[row] = sum;
  });
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < samples; ++n) sum += parts[n * channels + c];
    result[c] = static_cast<float>(sum);
  }
}

void slopes(Threads& threads, const float* y, const float* dy, float* dz, int64_t count, int32_t activation) {
  constexpr int64_t piece = 16384;
  threads.run(ceil_div(count, piece), [&](int64_t task, int32_t) {
    const int64_t first = task * piece;
    slope_rows(y + first, dy + first, dz + first, std::min(piece, count - first), activation);
  });
}

UPS_SIMD_SHARED_END
