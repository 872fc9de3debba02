// CUDA: a block has an event. A thread has a cost, or in backward a feature of a prediction or
// target, and goes along its row or column of dcost. Floor: 3 FLOP a feature and pair, which come
// from L1.
#include "lib/segments/pair_matrices.cuh"

#include "pair_cost/pair_cost_call.h"

namespace upsilon {
namespace {

// The logarithm of each prediction's sum of exponentials.
template <int threads>
UPS_KERNEL_LB(threads)
find_log_sums(const int32_t* fault, PairCost<float> f, float* log_sums) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.predictions; i += global_threads())
    log_sums[i] = log_sum_exp(f.prediction + i * f.features, f.features);
}

template <int threads>
UPS_KERNEL_LB(threads)
find_costs(const int32_t* fault, PairCostForward<float> f, const int64_t* begins, const float* log_sums) {
  if (*fault != 0) return;
  for (int64_t b = blockIdx.x; b < f.pairs.events; b += gridDim.x) {
    if (!f.pairs.has(b, begins[b])) continue;
    const int64_t columns = f.pairs.columns(b), count = f.pairs.count(b);
    for (int64_t at = threadIdx.x; at < count; at += threads) {
      const int64_t i = f.pairs.row_offsets[b] + at / columns, j = f.pairs.column_offsets[b] + at % columns;
      const float *p = f.prediction + i * f.features, *t = f.target + j * f.features;
      float sum = 0.0f;
      for (int64_t c = 0; c < f.features; ++c) {
        const float difference = p[c] - t[c];
        sum += f.kind == UPS_PAIR_SQUARED_ERROR    ? difference * difference
               : f.kind == UPS_PAIR_ABSOLUTE_ERROR ? fabsf(difference)
                                                   : t[c] * (log_sums[i] - p[c]);
      }
      f.cost[begins[b] + at] = sum;
    }
  }
}

// Of prediction i by its feature c, with target j (`of_target`: the other way round).
UPS_ON_DEVICE float slope(const PairCost<float>& f, int64_t i, int64_t j, int64_t c, const float* log_sums,
                          bool of_target) {
  const float *p = f.prediction + i * f.features, *t = f.target + j * f.features;
  if (f.kind != UPS_PAIR_CROSS_ENTROPY) {
    const float difference = of_target ? t[c] - p[c] : p[c] - t[c];
    if (f.kind == UPS_PAIR_SQUARED_ERROR) return 2.0f * difference;
    return difference > 0.0f ? 1.0f : difference < 0.0f ? -1.0f : 0.0f;
  }
  if (of_target) return log_sums[i] - p[c];
  float weight = 0.0f;
  for (int64_t k = 0; k < f.features; ++k) weight += t[k];
  return weight * expf(p[c] - log_sums[i]) - t[c];
}

template <int threads>
UPS_KERNEL_LB(threads)
find_gradients(const int32_t* fault, PairCostBackward<float> f, const int64_t* begins, const float* log_sums) {
  if (*fault != 0) return;
  for (int64_t b = blockIdx.x; b < f.pairs.events; b += gridDim.x) {
    if (!f.pairs.has(b, begins[b])) continue;
    const int64_t rows = f.pairs.rows(b), columns = f.pairs.columns(b);
    const int64_t first_row = f.pairs.row_offsets[b], first_column = f.pairs.column_offsets[b];
    const float* const dcost = f.dcost + begins[b];
    for (int64_t at = threadIdx.x; f.dprediction && at < rows * f.features; at += threads) {
      const int64_t i = at / f.features, c = at % f.features;
      float sum = 0.0f;
      for (int64_t j = 0; j < columns; ++j) {
        const float gradient = dcost[i * columns + j];
        if (gradient != 0.0f) sum += gradient * slope(f, first_row + i, first_column + j, c, log_sums, false);
      }
      f.dprediction[first_row * f.features + at] = sum;
    }
    for (int64_t at = threadIdx.x; f.dtarget && at < columns * f.features; at += threads) {
      const int64_t j = at / f.features, c = at % f.features;
      float sum = 0.0f;
      for (int64_t i = 0; i < rows; ++i) {
        const float gradient = dcost[i * columns + j];
        if (gradient != 0.0f) sum += gradient * slope(f, first_row + i, first_column + j, c, log_sums, true);
      }
      f.dtarget[first_column * f.features + at] = sum;
    }
  }
}

struct Scratch {
  int64_t* begins;
  float* log_sums;
  Scratch(const PairCost<float>& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.pairs.events + 1)),
        log_sums(f.kind == UPS_PAIR_CROSS_ENTROPY ? workspace.reserve<float>(f.predictions) : nullptr) {}
};

constexpr int event_threads = 128;
constexpr int64_t max_blocks = 4096;

void prepare(Launcher& launch, const PairCost<float>& f, const Scratch& scratch) {
  launch.grid(find_pair_matrices<block_threads>, 1, 1, block_threads, 0, f.pairs, scratch.begins);
  if (scratch.log_sums) launch.elements(find_log_sums<block_threads>, f.predictions, f, scratch.log_sums);
}

ups_status forward(const Call& call) {
  const PairCostForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  launch.clear(f.cost, static_cast<size_t>(f.pairs.entries) * sizeof(float));
  prepare(launch, f, scratch);
  launch.grid(find_costs<event_threads>, std::min(f.pairs.events, max_blocks), 1, event_threads, 0, f, scratch.begins,
              scratch.log_sums);
  return launch.status();
}

ups_status backward(const Call& call) {
  const PairCostBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  if (f.dprediction) launch.clear(f.dprediction, static_cast<size_t>(f.predictions * f.features) * sizeof(float));
  if (f.dtarget) launch.clear(f.dtarget, static_cast<size_t>(f.targets * f.features) * sizeof(float));
  prepare(launch, f, scratch);
  launch.grid(find_gradients<event_threads>, std::min(f.pairs.events, max_blocks), 1, event_threads, 0, f,
              scratch.begins, scratch.log_sums);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, PairCostForwardCall, forward, workspace_of<PairCostForward<float>, Scratch>)
UPS_CUDA_VARIANT(backward, PairCostBackwardCall, backward, workspace_of<PairCostBackward<float>, Scratch>)

}  // namespace
}  // namespace upsilon
