// The gradient of a convolution's weight: sums over places, with the lanes along them, so that any
// number of channels fills the lanes. A tile of coarse channels x taps stays in registers while the
// places of a block run. Floor: 2 x products FLOP against the FMA peak. The coarse rows are padded
// with zeros to the width of the fine block, so that a run over a plane needs no end at every row.
// Bits depend on the shape only: blocks are fixed, and added up in order.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/weight_gradient.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/copies.simd.h"
#include "lib/convolution/weight_gradient.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

constexpr int tile_channels = 4;
#if UPS_LANES == 16
constexpr int tile_taps = 6;  // 24 sums, 6 of the fine grid, 1 of the coarse: 31 of 32 registers
#else
constexpr int tile_taps = 3;  // 12 sums, 3 and 1: 16 of 16
#endif

constexpr int64_t block_places = 2048, max_block_places = 4096;
constexpr int64_t large_block = 256 * 1024;  // floats, where dilated taps lie far apart
constexpr int64_t task_taps = 24;  // fine channels times taps that a task has at least, to reuse what it reads
constexpr int64_t min_tasks = 64;  // with fewer, the places are distributed too, as long as
constexpr int64_t max_part_floats = int64_t{2} << 20;

// Places to sum over: of every sample `planes` of `flat` floats each.
struct Run {
  const float* coarse;
  int64_t channel, coarse_sample, coarse_plane, fine_sample, fine_plane, samples, planes, flat;
};

// One step along the places: channels x taps products for every lane.
template <int channels, int taps, class LoadCoarse>
[[gnu::always_inline]] inline void add_products(const float* const (&coarse)[channels],
                                                const float* const (&fine)[taps], int64_t place, LoadCoarse load_coarse,
                                                Floats (&sums)[channels][taps]) {
  Floats x[taps];
#pragma GCC unroll 6
  for (int t = 0; t < taps; ++t) x[t] = load(fine[t] + place);
#pragma GCC unroll 4
  for (int c = 0; c < channels; ++c) {
    const Floats g = load_coarse(coarse[c] + place);
#pragma GCC unroll 6
    for (int t = 0; t < taps; ++t) sums[c][t] = g * x[t] + sums[c][t];
  }
}

// Returns the sums of every lane: taking parts of a vector here would keep GCC from holding it in a
// register.
template <int channels, int taps>
void tile(const Run& run, const float* const* fine, float* result) {
  Floats sums[channels][taps];
#pragma GCC unroll 4
  for (int c = 0; c < channels; ++c)
#pragma GCC unroll 6
    for (int t = 0; t < taps; ++t) sums[c][t] = zero();
  for (int64_t plane = 0; plane < run.samples * run.planes; ++plane) {
    const int64_t sample = plane / run.planes, p = plane % run.planes;
    const int64_t of_fine = sample * run.fine_sample + p * run.fine_plane;
    const int64_t of_coarse = sample * run.coarse_sample + p * run.coarse_plane;
    const float *from[taps], *coarse[channels];
#pragma GCC unroll 6
    for (int t = 0; t < taps; ++t) from[t] = fine[t] + of_fine;
#pragma GCC unroll 4
    for (int c = 0; c < channels; ++c) coarse[c] = run.coarse + c * run.channel + of_coarse;
    int64_t i = 0;
    for (; i + lanes <= run.flat; i += lanes)
      add_products(coarse, from, i, [](const float* at) { return load(at); }, sums);
    // Beyond the run the coarse grid counts as 0, and the fine block is finite.
    const int64_t rest = run.flat - i;
    if (rest > 0) add_products(coarse, from, i, [rest](const float* at) { return load_first(at, rest); }, sums);
  }
#pragma GCC unroll 4
  for (int c = 0; c < channels; ++c)
#pragma GCC unroll 6
    for (int t = 0; t < taps; ++t) store(result + (c * taps + t) * lanes, sums[c][t]);
}

using Tile = void (*)(const Run&, const float* const*, float*);
#if UPS_LANES == 16
#define UPS_TILES(n) {tile<n, 1>, tile<n, 2>, tile<n, 3>, tile<n, 4>, tile<n, 5>, tile<n, 6>}
#else
#define UPS_TILES(n) {tile<n, 1>, tile<n, 2>, tile<n, 3>}
#endif
constexpr Tile tiles[tile_channels][tile_taps] = {UPS_TILES(1), UPS_TILES(2), UPS_TILES(3), UPS_TILES(4)};
#undef UPS_TILES

// Whether there is no NaN and no infinity.
bool all_finite(const float* values, int64_t count) {
  Floats zeros = zero();
  each_vector(count, [&](int64_t i, int64_t here) { zeros = load_some(values + i, here) * broadcast(0.0f) + zeros; });
  return sum_pairwise(zeros) == 0;
}

}  // namespace

WeightGradient::WeightGradient(const Convolution& shape, int32_t workers, WorkspaceLayout& workspace) : shape_(shape) {
  for (int a = 0; a < 3; ++a) axes_[a] = GatherAxis(shape.axes[a], Towards::coarse);
  auto& [d, h, w] = axes_;
  const int64_t plane_places = std::max<int64_t>(h.places * w.places, 1);
  if (plane_places > max_block_places) h.blocks = std::min(h.places, ceil_div(plane_places, max_block_places));
  d.blocks = std::max<int64_t>(1, ceil_div(d.places, std::max<int64_t>(1, block_places / plane_places)));

  if (w.extent() * h.extent() * d.extent() > large_block) d.blocks = std::max<int64_t>(1, d.places);
  if (w.extent() * h.extent() * d.extent() > large_block) h.blocks = std::max<int64_t>(1, h.places);
  const int64_t row = w.extent(), plane = row * h.extent(), phase = plane * d.extent();
  strides_ = {row, plane, 1, 1, phase, phase * d.source_phases * h.source_phases * w.source_phases};
  channels_per_task_ =
      std::clamp<int64_t>(task_taps / std::max<int64_t>(shape.taps(), 1), 1, std::max<int64_t>(shape.fine_channels, 1));
  // Small samples share a chunk: taking the sums of the lanes costs as much as some ten steps along
  // the places.
  const int64_t together = std::min(block_places / std::max<int64_t>(plane_places * d.places, 1),
                                    large_block / std::max<int64_t>(strides_.channel, 1));
  samples_per_chunk_ =
      d.blocks * h.blocks == 1 ? std::clamp<int64_t>(together, 1, std::max<int64_t>(shape.samples, 1)) : 1;
  chunks_ = ceil_div(shape.samples, samples_per_chunk_) * d.blocks * h.blocks;
  const int64_t ranges = std::max<int64_t>(1, shape.groups * ceil_div(shape.fine_channels, channels_per_task_));
  const int64_t affordable = max_part_floats / std::max<int64_t>(shape.weight_count(), 1);
  parts_ = std::max<int64_t>(1, std::min({ceil_div(min_tasks, ranges), chunks_, affordable}));

  taps_ = {workspace.reserve<int32_t>(shape.taps()), workspace.reserve<int32_t>(shape.taps()),
           workspace.reserve<int64_t>(2)};
  padded_in_place_ = row == w.places;
  const int64_t images = shape.samples * shape.groups * shape.coarse_channels;
  finite_ = workspace.reserve<uint8_t>(images);
  padded_ = workspace.reserve<float>(padded_in_place_ ? 0 : images * d.places * h.places * row);
  scratch_floats_ = round_up(samples_per_chunk_ * channels_per_task_ * strides_.channel + lanes, 16);
  scratch_ = workspace.reserve<float>(scratch_floats_ * workers);
  sums_ = workspace.reserve<float>(parts_ > 1 ? parts_ * shape.weight_count() : 0);
}

// Notes which channels are finite, and pads the rows.
void WeightGradient::pad(Threads& threads, const float* coarse) const {
  const int64_t rows = axes_[0].places * axes_[1].places, width = axes_[2].places, padded = strides_.row;
  threads.run(shape_.samples * shape_.groups * shape_.coarse_channels, [&](int64_t image, int32_t) {
    const float* from = coarse + image * rows * width;
    finite_[image] = all_finite(from, rows * width);
    if (padded_in_place_) return;
    float* to = padded_ + image * rows * padded;
    for (int64_t r = 0; r < rows; ++r, from += width, to += padded) {
      each_vector(width, [&](int64_t i, int64_t here) { store_some(to + i, load_some(from + i, here), here); });
      std::fill_n(to + width, padded - width, 0.0f);
    }
  });
}

// The sum of one tap in one sample where something is not finite: only pairs of existing places are
// multiplied.
float WeightGradient::exact_sum(const Chunk& chunk, int64_t tap, const float* fine, const float* coarse) const {
  const auto& [d, h, w] = axes_;
  const int64_t kw = tap % w.of.kernel, kh = tap / w.of.kernel % h.of.kernel, kd = tap / w.of.kernel / h.of.kernel;
  const auto at = [](const GatherAxis& axis, int64_t j, int64_t k) {
    return j * axis.of.stride - axis.of.padding + k * axis.of.dilation;
  };
  float sum = 0;
  for (int64_t jd = chunk.begin[0]; jd < chunk.begin[0] + chunk.places[0]; ++jd)
    for (int64_t jh = chunk.begin[1]; jh < chunk.begin[1] + chunk.places[1]; ++jh)
      for (int64_t jw = 0; jw < w.places; ++jw) {
        const int64_t z = at(d, jd, kd), y = at(h, jh, kh), x = at(w, jw, kw);
        if (z >= 0 && z < d.source && y >= 0 && y < h.source && x >= 0 && x < w.source)
          sum += coarse[(jd * h.places + jh) * strides_.row + jw] * fine[(z * h.source + y) * w.source + x];
      }
  return sum;
}

// The sums of one chunk, added to sum[coarse channel][fine channel of the range][tap].
void WeightGradient::add(const Chunk& chunk, const float* fine, const float* block, const float* coarse,
                         const uint8_t* finite, float* sum) const {
  const auto& [d, h, w] = axes_;
  const int64_t taps = shape_.taps(), columns = chunk.channels * taps, sum_row = shape_.fine_channels * taps;
  const int64_t coarse_channel = d.places * h.places * strides_.row, fine_channel = d.source * h.source * w.source;
  const int64_t coarse_sample = shape_.groups * shape_.coarse_channels * coarse_channel;
  const int64_t fine_sample = shape_.groups * shape_.fine_channels * fine_channel;
  const int64_t block_sample = chunk.channels * strides_.channel;
  const bool fine_is_finite = all_finite(block, chunk.samples * block_sample);
  const float* first = coarse + (chunk.begin[0] * h.places + chunk.begin[1]) * strides_.row;
  for (int64_t o = 0; o < shape_.coarse_channels; o += tile_channels) {
    const int64_t channels = std::min<int64_t>(tile_channels, shape_.coarse_channels - o);
    bool is_finite = fine_is_finite;
    for (int64_t s = 0; is_finite && s < chunk.samples; ++s) {
      const uint8_t* of_sample = finite + s * shape_.groups * shape_.coarse_channels + o;
      is_finite = std::count(of_sample, of_sample + channels, 0) == 0;
    }
    if (!is_finite) {
      for (int64_t c = o; c < o + channels; ++c)
        for (int64_t m = 0; m < columns; ++m)
          for (int64_t s = 0; s < chunk.samples; ++s)
            sum[c * sum_row + m] += exact_sum(chunk, m % taps, fine + s * fine_sample + m / taps * fine_channel,
                                              coarse + s * coarse_sample + c * coarse_channel);
      continue;
    }
    const Run run{first + o * coarse_channel,
                  coarse_channel,
                  coarse_sample,
                  h.places * strides_.row,
                  block_sample,
                  strides_.plane,
                  chunk.samples,
                  chunk.places[0],
                  (chunk.places[1] - 1) * strides_.row + w.places};
    int64_t tap = 0, channel = 0;
    for (int64_t m = 0; m < columns; m += tile_taps) {
      const int64_t here = std::min<int64_t>(tile_taps, columns - m);
      const float* from[tile_taps];
      for (int64_t t = 0; t < here; ++t) {
        from[t] = block + channel * strides_.channel + taps_.offset[tap];
        if (++tap == taps) tap = 0, ++channel;
      }
      alignas(64) float found[tile_channels * tile_taps * lanes];
      tiles[channels - 1][here - 1](run, from, found);
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t t = 0; t < here; ++t)
          sum[(o + c) * sum_row + m + t] += sum_pairwise(load(found + (c * here + t) * lanes));
    }
  }
}

void WeightGradient::run(Threads& threads, const float* fine, const float* coarse, float* dweight) const {
  const int64_t count = shape_.weight_count(), taps = shape_.taps();
  if (count == 0) return;
  const auto& [d, h, w] = axes_;
  fill_taps(axes_, strides_, taps_);
  pad(threads, coarse);
  const float* padded = padded_in_place_ ? coarse : padded_;
  const int64_t ranges = ceil_div(shape_.fine_channels, channels_per_task_), range_floats = channels_per_task_ * taps;
  const int64_t of_group = shape_.coarse_channels * shape_.fine_channels * taps;
  const int64_t coarse_group = shape_.coarse_channels * d.places * h.places * strides_.row;
  const int64_t fine_sample = shape_.groups * shape_.fine_channels * d.source * h.source * w.source;
  threads.run(parts_ * shape_.groups * ranges, [&](int64_t task, int32_t worker) {
    const int64_t part = task / (shape_.groups * ranges), group = task / ranges % shape_.groups, range = task % ranges;
    Chunk chunk{};
    chunk.channels = std::min(channels_per_task_, shape_.fine_channels - range * channels_per_task_);
    chunk.places[2] = w.places;
    float* sum = (parts_ > 1 ? sums_ + part * count : dweight) + group * of_group + range * range_floats;
    for (int64_t o = 0; o < shape_.coarse_channels; ++o)
      clear(sum + o * shape_.fine_channels * taps, chunk.channels * taps);
    float* block = scratch_ + worker * scratch_floats_;
    for (int64_t number = chunks_ * part / parts_; number < chunks_ * (part + 1) / parts_; ++number) {
      const int64_t at_h = number % h.blocks, at_d = number / h.blocks % d.blocks;
      const int64_t sample = number / h.blocks / d.blocks * samples_per_chunk_, image = sample * shape_.groups + group;
      chunk.samples = std::min(samples_per_chunk_, shape_.samples - sample);
      chunk.begin[0] = d.begin(at_d);
      chunk.places[0] = d.begin(at_d + 1) - chunk.begin[0];
      chunk.begin[1] = h.begin(at_h);
      chunk.places[1] = h.begin(at_h + 1) - chunk.begin[1];
      const float* channels =
          fine + (image * shape_.fine_channels + range * channels_per_task_) * d.source * h.source * w.source;
      for (int64_t s = 0; s < chunk.samples; ++s)
        load_block(axes_, strides_, channels + s * fine_sample, chunk.channels, chunk.begin,
                   block + s * chunk.channels * strides_.channel);
      clear(block + chunk.samples * chunk.channels * strides_.channel, lanes);
      add(chunk, channels, block, padded + image * coarse_group, finite_ + image * shape_.coarse_channels, sum);
    }
  });
  if (parts_ > 1) add_in_order(threads, sums_, parts_, count, count, dweight);
}

UPS_SIMD_SHARED_END
