// CUDA. Floor: memory. No atomics: a block counts a chunk, each of its threads in cells of its own;
// so every thread looks at all parts of the elements, which stand in shared memory, and adds those
// that are its cells'. That is 128 comparisons per part, and the order of the additions is the
// elements'. The chunks are added up in order.
#include "histogram/histogram.h"

#include "lib/cuda/cuda.h"
#include "histogram/histogram_call.h"

namespace upsilon {
namespace {

constexpr int chunk_threads = 128;
constexpr int64_t smallest_chunk = 4096;

template <int threads, int axes>
UPS_KERNEL_LB(threads)
count_chunks(const int32_t* fault, HistogramForward<float, axes> f, int64_t chunk, double* counts, double* squares) {
  if (*fault != 0) return;
  constexpr int most = 1 << axes;
  UPS_SHARED(int64_t, cells, [threads * most]);
  UPS_SHARED(double, parts, [threads * most]);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * f.cells;
  for (int64_t cell = thread; cell < f.cells; cell += threads) {
    if (counts) counts[row + cell] = 0;
    if (squares) squares[row + cell] = 0;
  }
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * chunk;
  const int64_t end = begin + chunk < f.elements ? begin + chunk : f.elements;
  for (int64_t first = begin; first < end; first += threads) {
    int own = thread * most;
    for (int part = 0; part < most; ++part) cells[own + part] = -1, parts[own + part] = 0;
    const int64_t i = first + thread;
    if (i < end)
      f.each_part(i, [&](int64_t cell, double share, const double*) {
        cells[own] = cell;
        parts[own++] = f.weight(i) * share;
      });
    __syncthreads();
    for (int k = 0; k < threads * most; ++k) {
      const int64_t cell = cells[k];
      if (cell < 0 || cell % threads != thread) continue;
      if (counts) counts[row + cell] += parts[k];
      if (squares) squares[row + cell] += parts[k] * parts[k];
    }
    __syncthreads();
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
join_chunks(const int32_t* fault, int64_t cells, int64_t chunks, const double* sums, double* to) {
  if (*fault != 0) return;
  for (int64_t cell = global_thread(); cell < cells; cell += global_threads()) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * cells + cell];
    to[cell] = sum;
  }
}

template <int axes>
struct Plan {
  int64_t chunk, chunks;
  double *counts, *squares;
  Plan(const HistogramForward<float, axes>& f, WorkspaceLayout& workspace)
      : chunk(histogram_chunk(smallest_chunk, f.cells)), chunks(ceil_div(f.elements, chunk)),
        counts(f.counts ? workspace.reserve<double>(chunks * f.cells) : nullptr),
        squares(f.squares ? workspace.reserve<double>(chunks * f.cells) : nullptr) {}
};

template <int axes>
ups_status forward(const Call& call) {
  const HistogramForward<float, axes> f(call);
  const auto plan = scratch_of<Plan<axes>>(call, f);
  Launcher launch(call);
  launch.grid(count_chunks<chunk_threads, axes>, plan.chunks, 1, chunk_threads, 0, f, plan.chunk, plan.counts,
              plan.squares);
  if (f.counts) launch.elements(join_chunks<block_threads>, f.cells, f.cells, plan.chunks, plan.counts, f.counts);
  if (f.squares) launch.elements(join_chunks<block_threads>, f.cells, f.cells, plan.chunks, plan.squares, f.squares);
  return launch.status();
}

template <int threads, int axes>
UPS_KERNEL_LB(threads)
differentiate_all(const int32_t* fault, HistogramBackward<float, axes> f) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.elements; i += global_threads()) f.differentiate(i);
}

template <int axes>
ups_status backward(const Call& call) {
  const HistogramBackward<float, axes> f(call);
  Launcher launch(call);
  launch.elements(differentiate_all<block_threads, axes>, f.elements, f);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, HistogramForwardCall, forward<1>, workspace_of<HistogramForward<float, 1>, Plan<1>>)
UPS_CUDA_VARIANT(backward, HistogramBackwardCall, backward<1>)
UPS_CUDA_VARIANT(forward_2d, Histogram2dForwardCall, forward<2>, workspace_of<HistogramForward<float, 2>, Plan<2>>)
UPS_CUDA_VARIANT(backward_2d, Histogram2dBackwardCall, backward<2>)

}  // namespace
}  // namespace upsilon
