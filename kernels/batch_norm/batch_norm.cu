// CUDA. Floor: memory, as on the CPU. Sums run over at most 256 fixed chunks of the rows, in a
// block each for 32 channels side by side or for one channel's planes, and are joined in order by
// one thread for each channel.
#include "batch_norm/batch_norm.h"

#include "lib/cuda/cuda.h"

#include "batch_norm/batch_norm_call.h"
#include "lib/math/activation.cuh"

namespace upsilon {
namespace {

// ---- elementwise passes: runs of numbers that lie together, in pieces ---------------------------

struct Runs {
  int64_t length, pieces, items;
  int lanes;  // threads that share an item: a piece of a run
};
constexpr int64_t piece_numbers = 1024;

template <class Norm>
Runs runs_of(const Norm& f) {
  const bool planes = f.inner != 1;
  const int64_t length = planes ? f.inner : f.channels, pieces = ceil_div(length, piece_numbers);
  return {length, pieces, (planes ? f.rows * f.channels : f.rows) * pieces, lanes_for(length)};
}

// Calls body(row, channel, at) for the numbers of this thread.
template <class Norm, class Body>
UPS_ON_DEVICE void each_number(const Norm& f, const Runs& runs, Body body) {
  const int64_t lane = global_thread() % runs.lanes, step = global_threads() / runs.lanes;
  for (int64_t item = global_thread() / runs.lanes; item < runs.items; item += step) {
    const int64_t run = item / runs.pieces, first = item % runs.pieces * piece_numbers;
    const int64_t end = ups::min(runs.length, first + piece_numbers);
    const bool planes = f.inner != 1;
    const int64_t row = planes ? run / f.channels : run, channel = planes ? run % f.channels : 0;
    for (int64_t i = first + lane; i < end; i += runs.lanes)
      body(row, planes ? channel : i, static_cast<size_t>(run * runs.length + i));
  }
}

template <class Norm>
UPS_ON_DEVICE float before_activation(const Norm& f, const ChannelNorm& k, size_t at) {
  const float z = (f.x[at] - k.centre) * k.factor + k.shift;
  return f.residual ? z + f.residual[at] : z;
}

template <class Norm>
UPS_ON_DEVICE ChannelNorm norm_of(const Norm& f, int64_t c, double mean, double variance) {
  return channel_norm(mean, variance, f.eps, f.weight ? f.weight[c] : 1.0f, f.bias ? f.bias[c] : 0.0f);
}

// Of statistics that are given.
template <int threads, class Norm>
UPS_KERNEL_LB(threads)
prepare(const int32_t* fault, Norm f, ChannelNorm* channels) {
  if (*fault != 0) return;
  for (int64_t c = global_thread(); c < f.channels; c += global_threads())
    channels[c] = norm_of(f, c, static_cast<double>(f.mean[c]), static_cast<double>(f.variance[c]));
}

template <int threads, class Norm>
UPS_KERNEL_LB(threads)
normalise(const int32_t* fault, Norm f, Runs runs, const ChannelNorm* channels) {
  if (*fault != 0) return;
  each_number(f, runs, [&](int64_t row, int64_t channel, size_t at) {
    f.y[at] = f.counts(row) ? activate_value(before_activation(f, channels[channel], at), f.activation) : 0.0f;
  });
}

// ---- sums over the rows of a channel ------------------------------------------------------------

constexpr int sum_warps = 8;
// How the rows, or the pieces of planes, are dealt to chunks.
struct Chunks {
  int64_t pieces;  // of a plane
  int64_t units, size, count;
  int lanes;  // threads that share a piece of a plane
};
template <class Norm>
Chunks chunks_of(const Norm& f) {
  constexpr int64_t max_chunks = 256, min_rows = 64;
  const int64_t pieces = f.inner == 1 ? 1 : ceil_div(f.inner, piece_numbers);
  const int64_t units = f.rows * pieces;
  // Small planes share a block, so that its threads have something to do.
  const int64_t fewest = f.inner == 1 ? min_rows : ceil_div(piece_numbers, std::max<int64_t>(f.inner, 1));
  const int64_t size = std::max(fewest, ceil_div(units, max_chunks));
  return {pieces, units, size, ceil_div(units, size), lanes_for(f.inner, 32 * sum_warps)};
}
// Blocks for one chunk: 32 channels side by side each, or one channel.
template <class Norm>
int64_t blocks_of_chunk(const Norm& f) {
  return f.inner == 1 ? ceil_div(f.channels, 32) : f.channels;
}

// What a block adds up: a chunk of 32 channels side by side, a warp a row, or of one channel's
// planes.
template <bool planes, int warps>
struct Block {
  double (*shared)[32];
  int64_t chunk, channel;
  int lane, warp;

  template <class Norm>
  UPS_ON_DEVICE Block(const Norm& f, double (*shared_)[32])
      : shared(shared_), lane(static_cast<int>(threadIdx.x) % 32), warp(static_cast<int>(threadIdx.x) / 32) {
    const int64_t blocks = planes ? f.channels : (f.channels + 31) / 32;
    chunk = blockIdx.x / blocks;
    channel = planes ? blockIdx.x % blocks : blockIdx.x % blocks * 32 + lane;
  }
  // Calls body(at) for the numbers of this thread that count.
  template <class Norm, class Body>
  UPS_ON_DEVICE void each(const Norm& f, const Chunks& chunks, Body body) const {
    const int64_t begin = chunk * chunks.size, end = ups::min(chunks.units, begin + chunks.size);
    if constexpr (planes) {
      for (int64_t unit = begin + threadIdx.x / chunks.lanes; unit < end; unit += 32 * warps / chunks.lanes) {
        const int64_t row = unit / chunks.pieces, first = unit % chunks.pieces * piece_numbers;
        if (!f.counts(row)) continue;
        const int64_t last = ups::min(f.inner, first + piece_numbers);
        for (int64_t i = first + threadIdx.x % chunks.lanes; i < last; i += chunks.lanes)
          body(static_cast<size_t>((row * f.channels + channel) * f.inner + i));
      }
    } else if (channel < f.channels) {
      for (int64_t row = begin + warp; row < end; row += warps)
        if (f.counts(row)) body(static_cast<size_t>(row * f.channels + channel));
    }
  }
  // The sum of what all threads of the channel have, in each of them. The whole block calls it
  // together.
  UPS_ON_DEVICE double sum(float value) const {
    double own = static_cast<double>(value);
    if constexpr (planes) own = ups::warp_sum(own);
    __syncthreads();
    shared[warp][lane] = own;
    __syncthreads();
    double total = 0;
    for (int w = 0; w < warps; ++w) total += shared[w][lane];
    return total;
  }
  template <class Norm>
  UPS_ON_DEVICE bool speaks(const Norm& f) const {
    return warp == 0 && (planes ? lane == 0 : channel < f.channels);
  }
};

template <bool planes, int warps, class Norm>
UPS_KERNEL_LB(32 * warps)
moments_of_chunks(const int32_t* fault, Norm f, Chunks chunks, Moments* parts) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [warps][32]);
  const Block<planes, warps> block(f, shared);
  float numbers = 0.0f, sum = 0.0f;
  block.each(f, chunks, [&](size_t at) {
    numbers += 1.0f;
    sum += f.x[at];
  });
  const double count = block.sum(numbers);
  const double total = block.sum(sum);
  const float centre = count > 0 ? static_cast<float>(total / count) : 0.0f;
  float rest = 0.0f, squares = 0.0f;
  block.each(f, chunks, [&](size_t at) {
    const float d = f.x[at] - centre;
    rest += d;
    squares += d * d;
  });
  const double all_rest = block.sum(rest), all_squares = block.sum(squares);
  if (!block.speaks(f)) return;
  const double off = count > 0 ? all_rest / count : 0.0;
  parts[block.chunk * f.channels + block.channel] = {count, static_cast<double>(centre) + off,
                                                     all_squares - off * all_rest};
}

template <int threads>
UPS_KERNEL_LB(threads)
join_moments(const int32_t* fault, BatchNormTraining<float> f, const Moments* parts, int64_t chunks,
             ChannelNorm* channels) {
  if (*fault != 0) return;
  for (int64_t c = global_thread(); c < f.channels; c += global_threads()) {
    Moments of_batch;
    if (f.moments) of_batch = f.joined(c);
    else
      for (int64_t chunk = 0; chunk < chunks; ++chunk) of_batch.join(parts[chunk * f.channels + c]);
    keep_statistics(f, c, of_batch);
    channels[c] = norm_of(f, c, of_batch.mean, of_batch.variance());
  }
}

// ---- forward ------------------------------------------------------------------------------------

template <class Norm>
void launch_normalise(Launcher& launch, const Norm& f, const ChannelNorm* channels) {
  const Runs runs = runs_of(f);
  launch.elements(normalise<block_threads, Norm>, runs.items * runs.lanes, f, runs, channels);
}

struct ForwardScratch {
  ChannelNorm* channels;
  ForwardScratch(const BatchNormForward<float>& f, WorkspaceLayout& workspace)
      : channels(workspace.reserve<ChannelNorm>(f.channels)) {}
};

ups_status forward(const Call& call) {
  const BatchNormForward<float> f(call);
  ChannelNorm* const channels = scratch_of<ForwardScratch>(call, f).channels;
  Launcher launch(call);
  launch.elements(prepare<block_threads, BatchNormForward<float>>, f.channels, f, channels);
  launch_normalise(launch, f, channels);
  return launch.status();
}

struct TrainingScratch {
  Chunks chunks;
  ChannelNorm* channels;
  Moments* parts;
  TrainingScratch(const BatchNormTraining<float>& f, WorkspaceLayout& workspace)
      : chunks(chunks_of(f)), channels(workspace.reserve<ChannelNorm>(f.channels)),
        parts(workspace.reserve<Moments>(chunks.count * f.channels)) {}
};

ups_status training_forward(const Call& call) {
  const BatchNormTraining<float> f(call);
  const auto scratch = scratch_of<TrainingScratch>(call, f);
  Launcher launch(call);
  using Norm = BatchNormTraining<float>;
  if (!f.moments)
    launch.grid(f.inner == 1 ? moments_of_chunks<false, sum_warps, Norm> : moments_of_chunks<true, sum_warps, Norm>,
                scratch.chunks.count * blocks_of_chunk(f), 1, 32 * sum_warps, 0, f, scratch.chunks, scratch.parts);
  launch.elements(join_moments<block_threads>, f.channels, f, scratch.parts, scratch.chunks.count, scratch.channels);
  launch_normalise(launch, f, scratch.channels);
  return launch.status();
}

// ---- backward -----------------------------------------------------------------------------------

template <class Norm>
UPS_ON_DEVICE float dz_at(const Norm& f, const ChannelNorm& k, size_t at) {
  if (f.activation == UPS_ACTIVATION_NONE) return f.dy[at];
  const float known = f.activation == UPS_ACTIVATION_GELU ? before_activation(f, k, at) : f.y[at];
  return f.dy[at] * activation_slope_at(known, f.activation);
}

// Of a channel in a chunk, or in all of them: sums of dz, and of dz times x normalised.
struct Sums {
  double count, of_dz, along;
};

template <bool planes, int warps, class Norm>
UPS_KERNEL_LB(32 * warps)
sums_of_chunks(const int32_t* fault, Norm f, Chunks chunks, const ChannelNorm* channels, Sums* parts) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [warps][32]);
  const Block<planes, warps> block(f, shared);
  const ChannelNorm k = block.channel < f.channels ? channels[block.channel] : ChannelNorm{};
  float numbers = 0.0f, of_dz = 0.0f, along = 0.0f;
  block.each(f, chunks, [&](size_t at) {
    const float dz = dz_at(f, k, at);
    numbers += 1.0f;
    of_dz += dz;
    along += dz * ((f.x[at] - k.centre) * k.scale + k.offset);
  });
  const double all_numbers = block.sum(numbers), all_dz = block.sum(of_dz), all_along = block.sum(along);
  if (block.speaks(f)) parts[block.chunk * f.channels + block.channel] = {all_numbers, all_dz, all_along};
}

// dx = factor (dz - mean - (x - centre) slope).
struct Propagation {
  float mean, slope;
};

template <int threads, class Norm>
UPS_KERNEL_LB(threads)
join_sums(const int32_t* fault, Norm f, const Sums* parts, int64_t chunks, const ChannelNorm* channels,
          Propagation* back) {
  if (*fault != 0) return;
  for (int64_t c = global_thread(); c < f.channels; c += global_threads()) {
    double count = 0, of_dz = 0, along = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const Sums& part = parts[chunk * f.channels + c];
      count += part.count;
      of_dz += part.of_dz;
      along += part.along;
    }
    if (f.dweight) f.dweight[c] = static_cast<float>(along);
    if (f.dbias) f.dbias[c] = static_cast<float>(of_dz);
    if (count == 0) count = 1;
    back[c] = {static_cast<float>((of_dz + along * static_cast<double>(channels[c].offset)) / count),
               static_cast<float>(along / count * static_cast<double>(channels[c].scale))};
  }
}

template <bool training, int threads>
UPS_KERNEL_LB(threads)
propagate(const int32_t* fault, BatchNormBackward<float, training> f, Runs runs, const ChannelNorm* channels,
          const Propagation* back) {
  if (*fault != 0) return;
  each_number(f, runs, [&](int64_t row, int64_t channel, size_t at) {
    const ChannelNorm& k = channels[channel];
    const bool counts = f.counts(row);
    const float dz = counts ? dz_at(f, k, at) : 0.0f;
    if (f.dresidual) f.dresidual[at] = dz;
    if (!f.dx) return;
    float inner = dz;
    if (training && counts) inner = dz - back[channel].mean - (f.x[at] - k.centre) * back[channel].slope;
    f.dx[at] = counts ? inner * k.factor : 0.0f;
  });
}

struct BackwardScratch {
  Chunks chunks;
  ChannelNorm* channels;
  Sums* parts;
  Propagation* back;
  template <class Norm>
  BackwardScratch(const Norm& f, WorkspaceLayout& workspace)
      : chunks(chunks_of(f)), channels(workspace.reserve<ChannelNorm>(f.channels)),
        parts(workspace.reserve<Sums>(chunks.count * f.channels)), back(workspace.reserve<Propagation>(f.channels)) {}
};

template <bool training>
ups_status backward(const Call& call) {
  using Norm = BatchNormBackward<float, training>;
  const Norm f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  launch.elements(prepare<block_threads, Norm>, f.channels, f, scratch.channels);
  if (f.dweight || f.dbias || (training && f.dx)) {
    launch.grid(f.inner == 1 ? sums_of_chunks<false, sum_warps, Norm> : sums_of_chunks<true, sum_warps, Norm>,
                scratch.chunks.count * blocks_of_chunk(f), 1, 32 * sum_warps, 0, f, scratch.chunks, scratch.channels,
                scratch.parts);
    launch.elements(join_sums<block_threads, Norm>, f.channels, f, scratch.parts, scratch.chunks.count,
                    scratch.channels, scratch.back);
  }
  if (f.dx || f.dresidual) {
    const Runs runs = runs_of(f);
    launch.elements(propagate<training, block_threads>, runs.items * runs.lanes, f, runs, scratch.channels,
                    scratch.back);
  }
  return launch.status();
}

UPS_CUDA_VARIANT(forward, BatchNormForwardCall, forward, workspace_of<BatchNormForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, BatchNormBackwardCall, backward<false>,
                 workspace_of<BatchNormBackward<float, false>, BackwardScratch>)
UPS_CUDA_VARIANT(training_forward, BatchNormTrainingForwardCall, training_forward,
                 workspace_of<BatchNormTraining<float>, TrainingScratch>)
UPS_CUDA_VARIANT(training_backward, BatchNormTrainingBackwardCall, backward<true>,
                 workspace_of<BatchNormBackward<float, true>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
