// CUDA. Floor: memory, x and y once (backward x, y, dy and dx). A warp takes a row, a block a long
// one; a row is summed twice, for its mean and for the deviations from it, and stays in cache
// meanwhile. The gradients of weight and bias are summed over fixed chunks of rows, added up in
// order.
#include "layer_norm/layer_norm.h"

#include "lib/math/activation.cuh"
#include "lib/cuda/cuda.h"
#include "layer_norm/layer_norm_call.h"

namespace upsilon {
namespace {

constexpr int64_t long_row = 2048;  // features from which a block takes a row

// The threads that share a row.
template <int warps>
struct Team {
  static constexpr int threads = 32 * warps;
  double* sums;  // shared, one for each warp

  UPS_ON_DEVICE int rank() const { return static_cast<int>(threadIdx.x) % threads; }
  // The sum over the team, the same in every thread. All threads of a block call it together when
  // warps > 1.
  UPS_ON_DEVICE double sum(float value) const {
    double total = ups::warp_sum(static_cast<double>(value));
    if constexpr (warps > 1) {
      __syncthreads();
      if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = total;
      __syncthreads();
      total = 0;
      for (int w = 0; w < warps; ++w) total += sums[w];
    }
    return total;
  }
};

// Normalised x is ((x - mean) - rest) scale.
struct Statistics {
  float mean, rest, scale;
  UPS_ON_DEVICE float normalised(float x) const { return ((x - mean) - rest) * scale; }
};

UPS_ON_DEVICE Statistics statistics_from(double mean, double variance, float eps) {
  const float most = static_cast<float>(mean);
  return {most, static_cast<float>(mean - static_cast<double>(most)),
          static_cast<float>(1.0 / sqrt(variance + static_cast<double>(eps)))};
}

template <class Team>
UPS_ON_DEVICE Statistics statistics_of(const Team& team, const float* x, int64_t features, float eps) {
  const double size = static_cast<double>(features);
  float sum = 0.0f;
  for (int64_t c = team.rank(); c < features; c += Team::threads) sum += x[c];
  const float centre = static_cast<float>(team.sum(sum) / size);
  float deviation = 0.0f, squares = 0.0f;
  for (int64_t c = team.rank(); c < features; c += Team::threads) {
    const float d = x[c] - centre;
    deviation += d;
    squares += d * d;
  }
  const double rest = team.sum(deviation) / size, variance = team.sum(squares) / size - rest * rest;
  return {centre, static_cast<float>(rest),
          static_cast<float>(1.0 / sqrt((variance < 0 ? 0.0 : variance) + static_cast<double>(eps)))};
}

template <class Norm>
UPS_ON_DEVICE float affine(const Norm& f, float normalised, int64_t c) {
  const float z = f.weight ? normalised * f.weight[c] : normalised;
  return f.bias ? z + f.bias[c] : z;
}

// Calls body(team, row) for the rows of this thread's team.
template <int warps, class Body>
UPS_ON_DEVICE void each_row(int64_t rows, double* sums, Body body) {
  using Threads = Team<warps>;
  constexpr int teams = block_threads / Threads::threads;
  const int64_t first = blockIdx.x * static_cast<int64_t>(teams) + threadIdx.x / Threads::threads;
  for (int64_t row = first; row < rows; row += static_cast<int64_t>(gridDim.x) * teams) body(Threads{sums}, row);
}

template <int warps>
UPS_KERNEL_LB(block_threads)
normalise(const int32_t* fault, LayerNormForward<float> f) {
  if (*fault != 0) return;
  UPS_SHARED(double, sums, [warps]);
  each_row<warps>(f.rows, sums, [&](const Team<warps>& team, int64_t row) {
    const float* x = f.x + row * f.features;
    const Statistics s = f.moments ? statistics_from(f.moments[2 * row], f.moments[2 * row + 1], f.eps)
                                   : statistics_of(team, x, f.features, f.eps);
    for (int64_t c = team.rank(); c < f.features; c += Team<warps>::threads)
      f.y[row * f.features + c] = activate_value(affine(f, s.normalised(x[c]), c), f.activation);
  });
}

template <class Norm>
UPS_ON_DEVICE float dz_at(const Norm& f, float normalised, int64_t row, int64_t c) {
  const int64_t at = row * f.features + c;
  if (f.activation == UPS_ACTIVATION_NONE) return f.dy[at];
  const bool gelu = f.activation == UPS_ACTIVATION_GELU;
  return f.dy[at] * activation_slope_at(gelu ? affine(f, normalised, c) : f.y[at], f.activation);
}

// dx, and each row's statistics for the gradients of weight and bias.
template <int warps>
UPS_KERNEL_LB(block_threads)
backward_of_rows(const int32_t* fault, LayerNormBackward<float> f, Statistics* statistics) {
  if (*fault != 0) return;
  UPS_SHARED(double, sums, [warps]);
  each_row<warps>(f.rows, sums, [&](const Team<warps>& team, int64_t row) {
    const float* x = f.x + row * f.features;
    const Statistics s = statistics_of(team, x, f.features, f.eps);
    if (team.rank() == 0) statistics[row] = s;
    if (!f.dx) return;
    const auto inner = [&](int64_t c, float normalised) {
      const float dz = dz_at(f, normalised, row, c);
      return f.weight ? __fmul_rn(dz, f.weight[c]) : dz;  // rounded alike both times, so that it cancels with its mean
    };
    float sum = 0.0f, along = 0.0f;
    for (int64_t c = team.rank(); c < f.features; c += Team<warps>::threads) {
      const float normalised = s.normalised(x[c]), gradient = inner(c, normalised);
      sum += gradient;
      along += gradient * normalised;
    }
    const double size = static_cast<double>(f.features);
    const float mean = static_cast<float>(team.sum(sum) / size),
                mean_along = static_cast<float>(team.sum(along) / size);
    for (int64_t c = team.rank(); c < f.features; c += Team<warps>::threads) {
      const float normalised = s.normalised(x[c]);
      f.dx[row * f.features + c] = s.scale * (inner(c, normalised) - mean - normalised * mean_along);
    }
  });
}

// Sums over a chunk of rows for 32 columns a block: its warps take rows in turn and are added up in
// order.
constexpr int sum_columns = 32, sum_warps = 8;

int64_t chunk_of_rows(int64_t rows) {
  constexpr int64_t max_chunks = 256, min_rows = 64;
  return std::max(min_rows, ceil_div(rows, max_chunks));
}

template <int warps>
UPS_KERNEL_LB(32 * warps)
sum_over_rows(const int32_t* fault, LayerNormBackward<float> f, const Statistics* statistics, int64_t chunk_rows,
              float* parts) {
  if (*fault != 0) return;
  UPS_SHARED(float, of_weight, [warps][sum_columns]);
  UPS_SHARED(float, of_bias, [warps][sum_columns]);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t column_blocks = (f.features + sum_columns - 1) / sum_columns;
  const int64_t chunk = blockIdx.x / column_blocks, c = blockIdx.x % column_blocks * sum_columns + lane;
  const int64_t end = ups::min(f.rows, (chunk + 1) * chunk_rows);
  float dweight = 0.0f, dbias = 0.0f;
  if (c < f.features)
    for (int64_t row = chunk * chunk_rows + warp; row < end; row += warps) {
      const float normalised = statistics[row].normalised(f.x[row * f.features + c]);
      const float dz = dz_at(f, normalised, row, c);
      dweight += dz * normalised;
      dbias += dz;
    }
  of_weight[warp][lane] = dweight;
  of_bias[warp][lane] = dbias;
  __syncthreads();
  if (warp != 0 || c >= f.features) return;
  dweight = dbias = 0.0f;
  for (int w = 0; w < warps; ++w) {
    dweight += of_weight[w][lane];
    dbias += of_bias[w][lane];
  }
  parts[(2 * chunk) * f.features + c] = dweight;
  parts[(2 * chunk + 1) * f.features + c] = dbias;
}

template <int threads>
UPS_KERNEL_LB(threads)
add_parts(const int32_t* fault, const float* parts, int64_t chunks, int64_t features, float* dweight, float* dbias) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < 2 * features; at += global_threads()) {
    float sum = 0.0f;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += parts[chunk * 2 * features + at];
    float* const to = at < features ? dweight : dbias;
    if (to) to[at % features] = sum;
  }
}

// Launches `narrow` with a warp for each row, or `wide` with a block.
template <class Norm, class Narrow, class Wide, class... Arguments>
void launch_rows(Launcher& launch, const Norm& f, Narrow narrow, Wide wide, Arguments... arguments) {
  if (f.features < long_row) launch.elements(narrow, f.rows * 32, f, arguments...);
  else launch.elements(wide, f.rows * block_threads, f, arguments...);
}

ups_status forward(const Call& call) {
  const LayerNormForward<float> f(call);
  Launcher launch(call);
  if (f.features > 0) launch_rows(launch, f, normalise<1>, normalise<block_threads / 32>);
  return launch.status();
}

struct BackwardScratch {
  Statistics* statistics;
  float* parts;
  BackwardScratch(const LayerNormBackward<float>& f, WorkspaceLayout& workspace)
      : statistics(workspace.reserve<Statistics>(f.rows)),
        parts(workspace.reserve<float>(ceil_div(f.rows, chunk_of_rows(f.rows)) * 2 * f.features)) {}
};

ups_status backward(const Call& call) {
  const LayerNormBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  if (f.features == 0) return launch.status();
  launch_rows(launch, f, backward_of_rows<1>, backward_of_rows<block_threads / 32>, scratch.statistics);
  if (f.dweight || f.dbias) {
    const int64_t chunk = chunk_of_rows(f.rows), chunks = ceil_div(f.rows, chunk);
    launch.grid(sum_over_rows<sum_warps>, chunks * ceil_div(f.features, sum_columns), 1, 32 * sum_warps, 0, f,
                scratch.statistics, chunk, scratch.parts);
    launch.elements(add_parts<block_threads>, 2 * f.features, scratch.parts, chunks, f.features, f.dweight, f.dbias);
  }
  return launch.status();
}

UPS_CUDA_VARIANT(forward, LayerNormForwardCall, forward)
UPS_CUDA_VARIANT(backward, LayerNormBackwardCall, backward, workspace_of<LayerNormBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
