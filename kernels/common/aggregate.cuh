// Sums over the neighbours in a graph, on the device: sum over edges e of row r of coefficient(e) values[neighbour(e), :],
// in the order of the edges, the self-loop last.
#pragma once
#include "common/activation.cuh"
#include "common/cuda.h"

namespace upsilon {

struct Aggregation {
  const int32_t *offsets, *neighbours;  // row r has the edges offsets[r] <= e < offsets[r+1]
  const int32_t* positions;  // of each edge's weight; null: the edge's own number
  const float* weights;  // null: 1
  const float* factor = nullptr;  // per node
  const float* loop = nullptr;  // per node, the weight of its self-loop; edges to oneself are then left out
  bool factor_of_row = false, factor_of_neighbour = false;  // which factors multiply an edge's weight
};

// Calls emit(column, sum) for this thread's columns lane, lane + lanes, ... below `padded`; from `width` on sums are 0.
inline constexpr int aggregated_at_once = 4;

template <class Emit>
UPS_ON_DEVICE void aggregate_row(const Aggregation& graph, const float* values, int64_t width, int64_t padded,
                                 int64_t row, int lane, int lanes, Emit emit) {
  const int32_t begin = graph.offsets[row], end = graph.offsets[row + 1];
  const float row_factor = graph.factor_of_row ? graph.factor[row] : 1.0f;
  for (int64_t first = lane; first < padded; first += aggregated_at_once * lanes) {
    float sums[aggregated_at_once] = {};
    const auto add = [&](int64_t neighbour, float weight) {
      const float coefficient = weight * row_factor * (graph.factor_of_neighbour ? graph.factor[neighbour] : 1.0f);
      UPS_UNROLL
      for (int i = 0; i < aggregated_at_once; ++i) {
        const int64_t c = first + i * lanes;
        if (c < width) sums[i] += coefficient * values[neighbour * width + c];
      }
    };
    for (int32_t e = begin; e < end; ++e) {
      const int32_t neighbour = graph.neighbours[e];
      if (graph.loop && neighbour == row) continue;
      add(neighbour, graph.weights ? graph.weights[graph.positions ? graph.positions[e] : e] : 1.0f);
    }
    if (graph.loop) add(row, graph.loop[row]);
    UPS_UNROLL
    for (int i = 0; i < aggregated_at_once; ++i) {
      const int64_t c = first + i * lanes;
      if (c < padded) emit(c, sums[i]);
    }
  }
}

// y[rows, width] = act(sums + bias)
template <int threads>
UPS_KERNEL_LB(threads)
aggregate(const int32_t* fault, Aggregation graph, const float* values, int64_t rows, int64_t width, int lanes,
          const float* bias, int32_t activation, float* y) {
  if (*fault != 0) return;
  for (int64_t row = global_thread() / lanes; row < rows; row += global_threads() / lanes)
    aggregate_row(
        graph, values, width, width, row, static_cast<int>(threadIdx.x) % lanes, lanes,
        [&](int64_t c, float sum) { y[row * width + c] = activate_value(bias ? sum + bias[c] : sum, activation); });
}

inline void launch_aggregate(Launcher& launch, const Aggregation& graph, const float* values, int64_t rows,
                             int64_t width, float* y, const float* bias = nullptr,
                             int32_t activation = UPS_ACTIVATION_NONE) {
  if (width == 0) return;
  const int lanes = lanes_for(width);
  launch.elements(aggregate<block_threads>, rows * lanes, graph, values, rows, width, lanes, bias, activation, y);
}

}  // namespace upsilon
