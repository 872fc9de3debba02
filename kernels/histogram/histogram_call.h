// Checked calls of histogram and histogram_2d, as plain numbers and pointers, and where an element
// counts.
#pragma once
#include "core/named_call.h"
#include "lib/kernel.h"
#include "histogram/histogram.h"

#ifndef UPS_HD
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

inline constexpr OperationLine histogram_forward_line{"histogram_forward", UPS_HISTOGRAM_FORWARD_SCHEMA};
using HistogramForwardCall = CallOf<histogram_forward_line, ups_histogram_options>;
inline constexpr OperationLine histogram_backward_line{"histogram_backward", UPS_HISTOGRAM_BACKWARD_SCHEMA};
using HistogramBackwardCall = CallOf<histogram_backward_line, ups_histogram_options>;
inline constexpr OperationLine histogram_2d_forward_line{"histogram_2d_forward", UPS_HISTOGRAM_2D_FORWARD_SCHEMA};
using Histogram2dForwardCall = CallOf<histogram_2d_forward_line, ups_histogram_options>;
inline constexpr OperationLine histogram_2d_backward_line{"histogram_2d_backward", UPS_HISTOGRAM_2D_BACKWARD_SCHEMA};
using Histogram2dBackwardCall = CallOf<histogram_2d_backward_line, ups_histogram_options>;

// The share 1 - share in bin `low`, the rest in the next; `slope` is the derivative of share.
struct BinShare {
  int64_t low;  // -1: in none
  double share, slope;
};

struct Bins {
  const double* edges;
  int64_t count;
  bool clamped, linear;
  // Evenly spaced up to 0.4 of a width: then a product is off by one bin at most.
  bool even;
  double per_unit;

  UPS_HD double centre(int64_t bin) const { return edges[bin] / 2 + edges[bin + 1] / 2; }

  // Looks at the edges, which the host cannot do for a device.
  void find_spacing() {
    const double width = (edges[count] - edges[0]) / static_cast<double>(count);
    even = count > 0 && std::isfinite(width) && width > 0;
    for (int64_t k = 0; even && k <= count; ++k)
      even = std::fabs(edges[k] - (edges[0] + static_cast<double>(k) * width)) <= 0.4 * width;
    per_unit = even ? 1 / width : 0;
  }
  // Of x between the first edge and the last.
  UPS_HD int64_t bin_of(double x) const {
    if (even) {
      const double guess = (x - edges[0]) * per_unit;
      int64_t bin = guess < static_cast<double>(count) ? static_cast<int64_t>(guess) : count - 1;
      bin -= x < edges[bin];
      bin += bin + 1 < count && x >= edges[bin + 1];
      return bin;
    }
    int64_t low = 0, high = count;
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (edges[middle] <= x) low = middle;
      else high = middle;
    }
    return low;
  }
  UPS_HD BinShare find(double x) const {
    if (count == 0) return {-1, 0, 0};
    if (!(x >= edges[0])) return {clamped ? 0 : -1, 0, 0};
    if (!(x <= edges[count])) return {clamped ? count - 1 : -1, 0, 0};
    const int64_t bin = bin_of(x);
    if (!linear) return {bin, 0, 0};
    const int64_t low = x < centre(bin) ? bin - 1 : bin;
    if (low < 0 || low + 1 >= count) return {bin, 0, 0};
    const double from = centre(low), distance = centre(low + 1) - from;
    if (!(distance < INFINITY)) return {bin, 0, 0};  // beside a bin without an end
    return {low, (x - from) / distance, 1 / distance};
  }
};

template <class T, int axes>
struct Histogram {
  int64_t elements, cells;
  const T *values[axes], *weights;
  Bins bins[axes];

  template <NamedCall Named>
  explicit Histogram(const Named& call) : elements(call.dim("N")), cells(1), weights(call["weights"]) {
    values[0] = call["x"];
    if constexpr (axes == 1) {
      put_axis(0, call["edges"], call.dim("B"), call.options());
    } else {
      values[1] = call["y"];
      put_axis(0, call["x_edges"], call.dim("A"), call.options());
      put_axis(1, call["y_edges"], call.dim("B"), call.options());
    }
  }
  UPS_HD double weight(int64_t i) const { return weights ? static_cast<double>(weights[i]) : 1.0; }

  // Calls body(cell, share, slopes) for every cell that element i has a part of. slopes[a] is the
  // derivative of its share by the element's coordinate a.
  template <class Body>
  UPS_HD void each_part(int64_t i, Body body) const {
    BinShare found[axes];
    for (int a = 0; a < axes; ++a) {
      found[a] = bins[a].find(static_cast<double>(values[a][i]));
      if (found[a].low < 0) return;
    }
    for (int corner = 0; corner < 1 << axes; ++corner) {
      int64_t cell = 0;
      double share = 1, slopes[axes];
      bool has = true;
      for (int a = 0; a < axes; ++a) slopes[a] = 1;
      for (int a = 0; a < axes; ++a) {
        const bool upper = (corner >> a & 1) != 0;
        const double own = upper ? found[a].share : 1 - found[a].share;
        has = has && (!upper || found[a].slope != 0);
        cell = cell * bins[a].count + found[a].low + upper;
        share *= own;
        for (int b = 0; b < axes; ++b) slopes[b] *= a == b ? (upper ? found[a].slope : -found[a].slope) : own;
      }
      if (has) body(cell, share, slopes);
    }
  }

 private:
  void put_axis(int a, const double* edges, int64_t count, const ups_histogram_options& options) {
    bins[a] = {edges, count, options.outside == UPS_OUTSIDE_CLAMPED, options.spread == UPS_SPREAD_LINEAR, false, 0};
    cells *= count;
  }
};

template <class T, int axes>
struct HistogramForward : Histogram<T, axes> {
  using Named = std::conditional_t<axes == 1, HistogramForwardCall, Histogram2dForwardCall>;
  double *counts, *squares;  // null where not wanted
  explicit HistogramForward(const Named& call)
      : Histogram<T, axes>(call), counts(call["counts"]), squares(call["squares"]) {}
};

template <class T, int axes>
struct HistogramBackward : Histogram<T, axes> {
  using Named = std::conditional_t<axes == 1, HistogramBackwardCall, Histogram2dBackwardCall>;
  const double* dcounts;
  T *dvalues[axes], *dweights;  // null where not wanted
  explicit HistogramBackward(const Named& call)
      : Histogram<T, axes>(call), dcounts(call["dcounts"]), dweights(call["dweights"]) {
    dvalues[0] = call["dx"];
    if constexpr (axes == 2) dvalues[1] = call["dy"];
  }
  UPS_HD void differentiate(int64_t i) const {
    double of_weight = 0, of_values[axes] = {};
    this->each_part(i, [&](int64_t cell, double share, const double* slopes) {
      of_weight += share * dcounts[cell];
      for (int a = 0; a < axes; ++a) of_values[a] += slopes[a] * dcounts[cell];
    });
    if (dweights) dweights[i] = static_cast<T>(of_weight);
    for (int a = 0; a < axes; ++a)
      if (dvalues[a]) dvalues[a][i] = static_cast<T>(this->weight(i) * of_values[a]);
  }
};

// Elements that are summed up on their own; with many cells more, so that the sums of all chunks
// stay smaller than the data.
inline int64_t histogram_chunk(int64_t smallest, int64_t cells) { return std::max(smallest, 4 * cells); }

}  // namespace upsilon
