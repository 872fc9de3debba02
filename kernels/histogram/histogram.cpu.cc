// Floor: memory, 4 bytes of each coordinate and weight. What takes the time is the addition to a
// bin, whose neighbours in the data often wait for the same bin, so every chunk counts in four
// copies in turn as long as they fit into L1. Evenly spaced edges are found by a multiplication,
// others by bisection.
#include "histogram/histogram.h"
#include "histogram/histogram_call.h"

#define UPS_SIMD_SOURCE "histogram/histogram.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/each_item.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t smallest_chunk = 1 << 14, task_elements = 4096, max_cells_copied = 512;

template <class Forward>
struct Plan {
  const Forward& f;
  int64_t chunk, chunks, copies, wanted;  // wanted: of counts and squares
  double* sums;  // [chunks][copies][wanted][cells]

  Plan(const Forward& f_, WorkspaceLayout& workspace)
      : f(f_), chunk(histogram_chunk(smallest_chunk, f.cells)), chunks(ceil_div(f.elements, chunk)),
        copies(f.cells <= max_cells_copied ? 4 : 1), wanted((f.counts != nullptr) + (f.squares != nullptr)),
        sums(workspace.reserve<double>(chunks * copies * wanted * f.cells)) {}

  void count(int64_t index) const {
    const int64_t row = wanted * f.cells;
    double* const mine = sums + index * copies * row;
    std::fill_n(mine, copies * row, 0.0);
    const int64_t begin = index * chunk, end = std::min(f.elements, begin + chunk);
    for (int64_t i = begin; i < end; ++i) {
      double* const copy = mine + (i & (copies - 1)) * row;
      f.each_part(i, [&](int64_t cell, double share, const double*) {
        const double part = f.weight(i) * share;
        if (f.counts) copy[cell] += part;
        if (f.squares) copy[row - f.cells + cell] += part * part;
      });
    }
  }
  void join(int64_t cell, double* to, int64_t which) const {
    double sum = 0;
    for (int64_t part = 0; part < chunks * copies; ++part) sum += sums[(part * wanted + which) * f.cells + cell];
    to[cell] = sum;
  }
};

template <class T, int axes>
ups_status forward(const Call& call) {
  HistogramForward<T, axes> f(call);
  for (Bins& bins : f.bins) bins.find_spacing();
  const auto plan = scratch_of<Plan<HistogramForward<T, axes>>>(call, f);
  if (plan.wanted == 0) return UPS_OK;
  call.threads->run(plan.chunks, [&](int64_t chunk, int32_t) { plan.count(chunk); });
  each_item(*call.threads, f.cells, task_elements, [&](int64_t cell) {
    if (f.counts) plan.join(cell, f.counts, 0);
    if (f.squares) plan.join(cell, f.squares, plan.wanted - 1);
  });
  return UPS_OK;
}

template <class T, int axes>
ups_status backward(const Call& call) {
  HistogramBackward<T, axes> f(call);
  for (Bins& bins : f.bins) bins.find_spacing();
  each_item(*call.threads, f.elements, task_elements, [&](int64_t i) { f.differentiate(i); });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, HistogramForwardCall, forward<float, 1>,
                workspace_of<HistogramForward<float, 1>, Plan<HistogramForward<float, 1>>>)
UPS_CPU_VARIANT(backward, HistogramBackwardCall, backward<float, 1>)
UPS_CPU_VARIANT(forward_2d, Histogram2dForwardCall, forward<float, 2>,
                workspace_of<HistogramForward<float, 2>, Plan<HistogramForward<float, 2>>>)
UPS_CPU_VARIANT(backward_2d, Histogram2dBackwardCall, backward<float, 2>)
UPS_CPU_VARIANT_F64(forward, HistogramForwardCall, forward<double, 1>,
                    workspace_of<HistogramForward<double, 1>, Plan<HistogramForward<double, 1>>>)
UPS_CPU_VARIANT_F64(backward, HistogramBackwardCall, backward<double, 1>)
UPS_CPU_VARIANT_F64(forward_2d, Histogram2dForwardCall, forward<double, 2>,
                    workspace_of<HistogramForward<double, 2>, Plan<HistogramForward<double, 2>>>)
UPS_CPU_VARIANT_F64(backward_2d, Histogram2dBackwardCall, backward<double, 2>)

UPS_SIMD_END
