// SIMD. Floor: memory. Inference reads x and writes y; training reads x once more, for the
// statistics come first. Backward reads x, y and dy and writes dx, in training all three once more,
// as two sums come first.
//
// Sums run over tiles in float32 and are joined in float64: of 64 rows at a time where the channels
// lie side by side (inner = 1), of 1024 numbers of a channel's plane otherwise. A tile is read
// twice, from L1: for its mean, then for the deviations from it. Rows are dealt to a fixed number
// of groups, which are joined in order.
#include "batch_norm/batch_norm.h"
#include "batch_norm/batch_norm_call.h"

#define UPS_SIMD_SOURCE "batch_norm/batch_norm.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/moments.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/elementary.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t tile_rows = 64, tile_numbers = 1024;
constexpr int64_t task_floats = 16384;
constexpr int64_t max_groups = 16, max_sums = int64_t{1} << 20;

// ---- what lies together -------------------------------------------------------------------------

// `count` numbers from x[at] on, of a row: of all channels where they lie side by side, else of one
// channel.
struct Run {
  int64_t row, channel, at, count;
};

template <bool planes, class Body>
void each_run(Threads& threads, const BatchNorm<float>& f, Body&& body) {
  const int64_t runs = planes ? f.rows * f.channels : f.rows, length = planes ? f.inner : f.channels;
  if (length == 0) return;
  const int64_t task_runs = std::max<int64_t>(1, task_floats / length);
  threads.run(ceil_div(runs, task_runs), [&](int64_t task, int32_t) {
    const int64_t end = std::min(runs, (task + 1) * task_runs);
    for (int64_t run = task * task_runs; run < end; ++run)
      body(Run{planes ? run / f.channels : run, planes ? run % f.channels : 0, run * length, length});
  });
}

// Numbers per channel, for elements i to i + here of a run.
template <bool planes>
[[gnu::always_inline]] inline Floats of_channel(const float* values, int64_t channel, int64_t i, int64_t here) {
  if constexpr (planes) return broadcast(values[channel]);
  else return load_some(values + channel + i, here);
}

// Every channel's ChannelNorm, member by member.
struct Channels {
  float *centre, *scale, *offset, *factor, *shift;

  Channels(const BatchNorm<float>& f, WorkspaceLayout& workspace) {
    for (float** member : {&centre, &scale, &offset, &factor, &shift}) *member = workspace.reserve<float>(f.channels);
  }
  void set(const BatchNorm<float>& f, int64_t c, double mean, double variance) const {
    const ChannelNorm norm =
        channel_norm(mean, variance, f.eps, f.weight ? f.weight[c] : 1.0f, f.bias ? f.bias[c] : 0.0f);
    centre[c] = norm.centre;
    scale[c] = norm.scale;
    offset[c] = norm.offset;
    factor[c] = norm.factor;
    shift[c] = norm.shift;
  }
};

// What the activation is applied to, for x[at] to x[at + here], which are elements i and following
// of a run.
template <bool planes>
[[gnu::always_inline]] inline Floats before_activation(const BatchNorm<float>& f, const Channels& k, int64_t channel,
                                                       int64_t i, int64_t at, int64_t here) {
  const Floats centred = load_some(f.x + at, here) - of_channel<planes>(k.centre, channel, i, here);
  const Floats z =
      centred * of_channel<planes>(k.factor, channel, i, here) + of_channel<planes>(k.shift, channel, i, here);
  return f.residual ? z + load_some(f.residual + at, here) : z;
}

template <bool planes>
void normalise(Threads& threads, const BatchNorm<float>& f, const Channels& k, float* y) {
  each_run<planes>(threads, f, [&](const Run& run) {
    if (!f.counts(run.row)) return clear(y + run.at, run.count);
    each_vector(run.count, [&](int64_t i, int64_t here) {
      const Floats z = before_activation<planes>(f, k, run.channel, i, run.at + i, here);
      store_some(y + run.at + i, f.activation == UPS_ACTIVATION_NONE ? z : activate(z, f.activation), here);
    });
  });
}

void normalise(Threads& threads, const BatchNorm<float>& f, const Channels& k, float* y) {
  f.inner == 1 ? normalise<false>(threads, f, k, y) : normalise<true>(threads, f, k, y);
}

// ---- sums over the rows of a channel ------------------------------------------------------------

// Two sums of each channel in each group of rows.
struct GroupSums {
  int64_t groups, padded;  // channels, up to whole vectors
  double *first, *second;  // [groups, padded]

  GroupSums(const BatchNorm<float>& f, WorkspaceLayout& workspace)
      : padded(round_up(std::max<int64_t>(f.channels, 1), lanes)) {
    const int64_t tiles = f.inner == 1 ? ceil_div(f.rows, tile_rows) : f.rows;
    groups = std::max<int64_t>(1, std::min({tiles, max_groups, max_sums / padded}));
    first = workspace.reserve<double>(groups * padded);
    second = workspace.reserve<double>(groups * padded);
  }
  int64_t begin(const BatchNorm<float>& f, int64_t group) const { return f.rows * group / groups; }
  // The numbers of a channel that count, in a group.
  double numbers(const BatchNorm<float>& f, int64_t group) const {
    int64_t count = 0;
    for (int64_t row = begin(f, group); row < begin(f, group + 1); ++row) count += f.counts(row);
    return static_cast<double>(count * f.inner);
  }
};

// Where the rows that count of a tile begin.
struct Tile {
  int64_t at[tile_rows], count = 0;

  Tile(const BatchNorm<float>& f, int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row)
      if (f.counts(row)) at[count++] = row * f.channels;
  }
};

// Calls body(tile, rows before, first sums, second sums) for the tiles of every group, the channels
// side by side.
template <class Body>
void each_tile(Threads& threads, const BatchNorm<float>& f, const GroupSums& sums, Body&& body) {
  threads.run(sums.groups, [&](int64_t group, int32_t) {
    double *first = sums.first + group * sums.padded, *second = sums.second + group * sums.padded;
    clear(first, sums.padded);
    clear(second, sums.padded);
    const int64_t end = sums.begin(f, group + 1);
    double before = 0;
    for (int64_t row = sums.begin(f, group); row < end; row += tile_rows) {
      const Tile tile(f, row, std::min(end, row + tile_rows));
      if (tile.count > 0) body(tile, before, first, second);
      before += static_cast<double>(tile.count);
    }
  });
}

// Calls body(channel, row, rows before, first sum, second sum) for the planes of every group that
// count.
template <class Body>
void each_plane(Threads& threads, const BatchNorm<float>& f, const GroupSums& sums, Body&& body) {
  threads.run(sums.groups * f.channels, [&](int64_t task, int32_t) {
    const int64_t group = task / f.channels, channel = task % f.channels;
    double &first = sums.first[group * sums.padded + channel], &second = sums.second[group * sums.padded + channel];
    first = second = 0;
    double before = 0;
    for (int64_t row = sums.begin(f, group); row < sums.begin(f, group + 1); ++row)
      if (f.counts(row)) body(channel, row, before++, first, second);
  });
}

// Calls body(c, here) for blocks of `vectors` whole vectors of channels (here = lanes), then for
// single ones.
template <int vectors, class Whole, class Single>
[[gnu::always_inline]] inline void each_block(int64_t channels, Whole&& whole, Single&& single) {
  int64_t c = 0;
  for (; c + vectors * lanes <= channels; c += vectors * lanes) whole(c, static_cast<int64_t>(lanes));
  for (; c < channels; c += lanes) single(c, std::min<int64_t>(lanes, channels - c));
}

// ---- statistics ---------------------------------------------------------------------------------

// Joins a tile's moments of `vectors` vectors of channels with those before; `before` numbers of
// each channel.
template <int vectors>
[[gnu::always_inline]] inline void join_tile(const float* x, const Tile& tile, int64_t c, int64_t here, double before,
                                             double* mean, double* deviation) {
  const double size = static_cast<double>(tile.count), share = size / (before + size), weight = before * share;
  Floats centre[vectors] = {}, rest[vectors] = {}, squares[vectors] = {};
  for (int64_t r = 0; r < tile.count; ++r)
    for (int v = 0; v < vectors; ++v) centre[v] += load_some(x + tile.at[r] + c + v * lanes, here);
  for (int v = 0; v < vectors; ++v) centre[v] *= broadcast(static_cast<float>(1 / size));
  for (int64_t r = 0; r < tile.count; ++r)
    for (int v = 0; v < vectors; ++v) {
      const Floats d = load_some(x + tile.at[r] + c + v * lanes, here) - centre[v];
      rest[v] += d;
      squares[v] = d * d + squares[v];
    }
  for (int v = 0; v < vectors; ++v)
    for (int l = 0; l < lanes; ++l) {
      const double off = static_cast<double>(rest[v][l]) / size;
      double &m = mean[c + v * lanes + l], &d = deviation[c + v * lanes + l];
      const double difference = static_cast<double>(centre[v][l]) + off - m;
      m += difference * share;
      d +=
          static_cast<double>(squares[v][l]) - off * static_cast<double>(rest[v][l]) + difference * difference * weight;
    }
}

// The groups' moments of every channel, in `sums` as mean and deviation.
void find_moments(Threads& threads, const BatchNorm<float>& f, const GroupSums& sums) {
  if (f.inner == 1)
    return each_tile(threads, f, sums, [&](const Tile& tile, double before, double* mean, double* deviation) {
      each_block<4>(
          f.channels, [&](int64_t c, int64_t here) { join_tile<4>(f.x, tile, c, here, before, mean, deviation); },
          [&](int64_t c, int64_t here) { join_tile<1>(f.x, tile, c, here, before, mean, deviation); });
    });
  each_plane(threads, f, sums, [&](int64_t channel, int64_t row, double before, double& mean, double& deviation) {
    Moments so_far{before * static_cast<double>(f.inner), mean, deviation};
    const float* plane = f.x + (row * f.channels + channel) * f.inner;
    for (int64_t first = 0; first < f.inner; first += tile_numbers)
      so_far.join(moments_of(plane + first, std::min(tile_numbers, f.inner - first)));
    mean = so_far.mean;
    deviation = so_far.deviation;
  });
}

// ---- forward ------------------------------------------------------------------------------------

ups_status forward(const Call& call) {
  const BatchNormForward<float> f(call);
  const auto channels = scratch_of<Channels>(call, f);
  for (int64_t c = 0; c < f.channels; ++c)
    channels.set(f, c, static_cast<double>(f.mean[c]), static_cast<double>(f.variance[c]));
  normalise(*call.threads, f, channels, f.y);
  return UPS_OK;
}

struct TrainingScratch {
  Channels channels;
  GroupSums sums;
  TrainingScratch(const BatchNorm<float>& f, WorkspaceLayout& workspace) : channels(f, workspace), sums(f, workspace) {}
};

ups_status training_forward(const Call& call) {
  const BatchNormTraining<float> f(call);
  const auto scratch = scratch_of<TrainingScratch>(call, f);
  const GroupSums& sums = scratch.sums;
  if (!f.moments) find_moments(*call.threads, f, sums);
  double numbers[max_groups];
  for (int64_t group = 0; group < sums.groups; ++group) numbers[group] = sums.numbers(f, group);
  for (int64_t c = 0; c < f.channels; ++c) {
    Moments of_batch;
    if (f.moments) of_batch = f.joined(c);
    else
      for (int64_t group = 0; group < sums.groups; ++group)
        of_batch.join({numbers[group], sums.first[group * sums.padded + c], sums.second[group * sums.padded + c]});
    keep_statistics(f, c, of_batch);
    scratch.channels.set(f, c, of_batch.mean, of_batch.variance());
  }
  normalise(*call.threads, f, scratch.channels, f.y);
  return UPS_OK;
}

// ---- backward -----------------------------------------------------------------------------------

// A backward call, whoever the statistics are from.
struct Gradients : BatchNorm<float> {
  const float *y, *dy;
  float *dx, *dresidual;

  template <bool training>
  explicit Gradients(const BatchNormBackward<float, training>& f)
      : BatchNorm<float>(f), y(f.y), dy(f.dy), dx(f.dx), dresidual(f.dresidual) {}
};

// What arrives before the activation.
template <bool planes>
[[gnu::always_inline]] inline Floats dz_at(const Gradients& f, const Channels& k, int64_t channel, int64_t i,
                                           int64_t at, int64_t here) {
  const Floats gradient = load_some(f.dy + at, here);
  if (f.activation == UPS_ACTIVATION_NONE) return gradient;
  const Floats z = f.activation == UPS_ACTIVATION_GELU ? before_activation<planes>(f, k, channel, i, at, here) : zero();
  return gradient * activation_slope(z, load_some(f.y + at, here), f.activation);
}

template <bool planes>
[[gnu::always_inline]] inline Floats normalised(const BatchNorm<float>& f, const Channels& k, int64_t channel,
                                                int64_t i, int64_t at, int64_t here) {
  const Floats centred = load_some(f.x + at, here) - of_channel<planes>(k.centre, channel, i, here);
  return centred * of_channel<planes>(k.scale, channel, i, here) + of_channel<planes>(k.offset, channel, i, here);
}

// Adds a tile's sums of dz, and of dz times x normalised, for `vectors` vectors of channels.
template <int vectors>
[[gnu::always_inline]] inline void add_tile(const Gradients& f, const Channels& k, const Tile& tile, int64_t c,
                                            int64_t here, double* sum, double* along) {
  Floats of_tile[vectors] = {}, along_tile[vectors] = {};
  for (int64_t r = 0; r < tile.count; ++r)
    for (int v = 0; v < vectors; ++v) {
      const int64_t i = c + v * lanes, at = tile.at[r] + i;
      const Floats dz = dz_at<false>(f, k, 0, i, at, here);
      of_tile[v] += dz;
      along_tile[v] = dz * normalised<false>(f, k, 0, i, at, here) + along_tile[v];
    }
  for (int v = 0; v < vectors; ++v)
    for (int l = 0; l < lanes; ++l) {
      sum[c + v * lanes + l] += static_cast<double>(of_tile[v][l]);
      along[c + v * lanes + l] += static_cast<double>(along_tile[v][l]);
    }
}

// The groups' sums of dz, and of dz times x normalised.
void find_sums(Threads& threads, const Gradients& f, const Channels& k, const GroupSums& sums) {
  if (f.inner == 1)
    return each_tile(threads, f, sums, [&](const Tile& tile, double, double* sum, double* along) {
      each_block<2>(
          f.channels, [&](int64_t c, int64_t here) { add_tile<2>(f, k, tile, c, here, sum, along); },
          [&](int64_t c, int64_t here) { add_tile<1>(f, k, tile, c, here, sum, along); });
    });
  each_plane(threads, f, sums, [&](int64_t channel, int64_t row, double, double& sum, double& along) {
    const int64_t plane = (row * f.channels + channel) * f.inner;
    for (int64_t first = 0; first < f.inner; first += tile_numbers) {
      const Sums of_tile = sum_two(
          std::min(tile_numbers, f.inner - first), [&](int64_t i, int64_t here, Floats& of_dz, Floats& of_product) {
            const Floats dz = dz_at<true>(f, k, channel, i, plane + first + i, here);
            of_dz += dz;
            of_product = dz * normalised<true>(f, k, channel, i, plane + first + i, here) + of_product;
          });
      sum += of_tile.first;
      along += of_tile.second;
    }
  });
}

// dx = factor (dz - mean - (x - centre) slope); without mean and slope where the statistics were
// given.
struct Propagation {
  float *mean, *slope;
  Propagation(const BatchNorm<float>& f, WorkspaceLayout& workspace)
      : mean(workspace.reserve<float>(f.channels)), slope(workspace.reserve<float>(f.channels)) {}
};

template <bool planes>
void propagate(Threads& threads, const Gradients& f, const Channels& k, const Propagation* back) {
  each_run<planes>(threads, f, [&](const Run& run) {
    if (!f.counts(run.row)) {
      clear(f.dx ? f.dx + run.at : nullptr, run.count);
      return clear(f.dresidual ? f.dresidual + run.at : nullptr, run.count);
    }
    each_vector(run.count, [&](int64_t i, int64_t here) {
      const int64_t at = run.at + i;
      const Floats dz = dz_at<planes>(f, k, run.channel, i, at, here);
      if (f.dresidual) store_some(f.dresidual + at, dz, here);
      if (!f.dx) return;
      Floats inner = dz;
      if (back) {
        const Floats centred = load_some(f.x + at, here) - of_channel<planes>(k.centre, run.channel, i, here);
        inner = dz - of_channel<planes>(back->mean, run.channel, i, here) -
                centred * of_channel<planes>(back->slope, run.channel, i, here);
      }
      store_some(f.dx + at, inner * of_channel<planes>(k.factor, run.channel, i, here), here);
    });
  });
}

struct BackwardScratch : TrainingScratch {
  Propagation back;
  BackwardScratch(const BatchNorm<float>& f, WorkspaceLayout& workspace)
      : TrainingScratch(f, workspace), back(f, workspace) {}
};

template <bool training>
ups_status backward(const Call& call) {
  const BatchNormBackward<float, training> f(call);
  const Gradients gradients(f);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const Channels& k = scratch.channels;
  const GroupSums& sums = scratch.sums;
  for (int64_t c = 0; c < f.channels; ++c)
    k.set(f, c, static_cast<double>(f.mean[c]), static_cast<double>(f.variance[c]));
  if (f.dweight || f.dbias || (training && f.dx)) {
    find_sums(*call.threads, gradients, k, sums);
    double numbers = 0;
    for (int64_t group = 0; group < sums.groups; ++group) numbers += sums.numbers(f, group);
    for (int64_t c = 0; c < f.channels; ++c) {
      double sum = 0, along = 0;
      for (int64_t group = 0; group < sums.groups; ++group) {
        sum += sums.first[group * sums.padded + c];
        along += sums.second[group * sums.padded + c];
      }
      if (f.dweight) f.dweight[c] = static_cast<float>(along);
      if (f.dbias) f.dbias[c] = static_cast<float>(sum);
      scratch.back.mean[c] = static_cast<float>((sum + along * static_cast<double>(k.offset[c])) / numbers);
      scratch.back.slope[c] = static_cast<float>(along / numbers * static_cast<double>(k.scale[c]));
    }
  }
  if (!f.dx && !f.dresidual) return UPS_OK;
  const Propagation* const back = training ? &scratch.back : nullptr;
  f.inner == 1 ? propagate<false>(*call.threads, gradients, k, back)
               : propagate<true>(*call.threads, gradients, k, back);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, BatchNormForwardCall, forward, workspace_of<BatchNormForward<float>, Channels>)
UPS_CPU_VARIANT(backward, BatchNormBackwardCall, backward<false>,
                workspace_of<BatchNormBackward<float, false>, BackwardScratch>)
UPS_CPU_VARIANT(training_forward, BatchNormTrainingForwardCall, training_forward,
                workspace_of<BatchNormTraining<float>, TrainingScratch>)
UPS_CPU_VARIANT(training_backward, BatchNormTrainingBackwardCall, backward<true>,
                workspace_of<BatchNormBackward<float, true>, BackwardScratch>)

UPS_SIMD_END
