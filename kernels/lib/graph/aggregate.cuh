// Sums over the neighbours in a graph, on the device: sum over edges e of row r of coefficient(e)
// values[neighbour(e), :], in the order of the edges, the self-loop last. A row longer than
// edge_piece is summed by pieces of that many edges, the later ones beforehand by a kernel of their
// own.
#pragma once
#include "lib/math/activation.cuh"
#include "lib/segments/row_pieces.cuh"

namespace upsilon {

inline constexpr int edge_piece = 256;

struct Aggregation {
  const int32_t *offsets, *neighbours;  // row r has the edges offsets[r] <= e < offsets[r+1]
  const int32_t* positions;  // of each edge's weight; null: the edge's own number
  const float* weights;  // null: 1
  int64_t edges;  // offsets never reach beyond
  const float* factor = nullptr;  // per node
  const float* loop = nullptr;  // per node, the weight of its self-loop; edges to oneself are then left out
  bool factor_of_row = false, factor_of_neighbour = false;  // which factors multiply an edge's weight

  UPS_ON_DEVICE float weight(int64_t edge) const {
    return weights ? weights[positions ? positions[edge] : edge] : 1.0f;
  }
  UPS_ON_DEVICE float coefficient(int64_t row, int64_t neighbour, float weight) const {
    return weight * (factor_of_row ? factor[row] : 1.0f) * (factor_of_neighbour ? factor[neighbour] : 1.0f);
  }
};

inline constexpr int aggregated_at_once = 4;

// Adds to sums[i] what the edges of a piece bring to the columns first + i * lanes.
UPS_ON_DEVICE void add_edges(const Aggregation& graph, const RowPiece& piece, const float* values, int64_t width,
                             int64_t first, int lanes, float (&sums)[aggregated_at_once]) {
  for (int64_t e = piece.begin; e < piece.end; ++e) {
    const int64_t neighbour = graph.neighbours[e];
    if (graph.loop && neighbour == piece.row) continue;
    const float coefficient = graph.coefficient(piece.row, neighbour, graph.weight(e));
    UPS_UNROLL
    for (int i = 0; i < aggregated_at_once; ++i) {
      const int64_t c = first + i * lanes;
      if (c < width) sums[i] += coefficient * values[neighbour * width + c];
    }
  }
}

// later[window, width] = the sums of the later pieces.
template <int threads>
UPS_KERNEL_LB(threads)
sum_later_pieces(const int32_t* fault, Aggregation graph, const float* values, int64_t rows, int64_t windows,
                 int64_t width, int lanes, float* later) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (int64_t window = global_thread() / lanes; window < windows; window += global_threads() / lanes) {
    const RowPiece piece = later_piece<edge_piece>(graph.offsets, rows, window);
    if (piece.row < 0) continue;
    for (int64_t first = lane; first < width; first += aggregated_at_once * lanes) {
      float sums[aggregated_at_once] = {};
      add_edges(graph, piece, values, width, first, lanes, sums);
      UPS_UNROLL
      for (int i = 0; i < aggregated_at_once; ++i)
        if (first + i * lanes < width) later[window * width + first + i * lanes] = sums[i];
    }
  }
}

// Floats that `later` needs.
inline int64_t later_floats(int64_t edges, int64_t width) { return later_windows<edge_piece>(edges) * width; }

inline void launch_later_pieces(Launcher& launch, const Aggregation& graph, const float* values, int64_t rows,
                                int64_t width, float* later) {
  const int lanes = lanes_for(width);
  const int64_t windows = later_windows<edge_piece>(graph.edges);
  launch.elements(sum_later_pieces<block_threads>, width == 0 ? 0 : windows * lanes, graph, values, rows, windows,
                  width, lanes, later);
}

// Calls emit(column, sum) for this thread's columns lane, lane + lanes, ... below `padded`; from
// `width` on sums are 0.
template <class Emit>
UPS_ON_DEVICE void aggregate_row(const Aggregation& graph, const float* values, const float* later, int64_t width,
                                 int64_t padded, int64_t row, int lane, int lanes, Emit emit) {
  const RowPiece piece = first_piece<edge_piece>(graph.offsets, row);
  for (int64_t first = lane; first < padded; first += aggregated_at_once * lanes) {
    float sums[aggregated_at_once] = {};
    add_edges(graph, piece, values, width, first, lanes, sums);
    const auto add = [&](const float* from, float coefficient) {
      UPS_UNROLL
      for (int i = 0; i < aggregated_at_once; ++i) {
        const int64_t c = first + i * lanes;
        if (c < width) sums[i] += coefficient * from[c];
      }
    };
    each_later_piece<edge_piece>(graph.offsets, row, [&](int64_t window) { add(later + window * width, 1.0f); });
    if (graph.loop) add(values + row * width, graph.coefficient(row, row, graph.loop[row]));
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
aggregate(const int32_t* fault, Aggregation graph, const float* values, const float* later, int64_t rows, int64_t width,
          int lanes, const float* bias, int32_t activation, float* y) {
  if (*fault != 0) return;
  for (int64_t row = global_thread() / lanes; row < rows; row += global_threads() / lanes)
    aggregate_row(
        graph, values, later, width, width, row, static_cast<int>(threadIdx.x) % lanes, lanes,
        [&](int64_t c, float sum) { y[row * width + c] = activate_value(bias ? sum + bias[c] : sum, activation); });
}

// `later` has later_floats() floats.
inline void launch_aggregate(Launcher& launch, const Aggregation& graph, const float* values, int64_t rows,
                             int64_t width, float* later, float* y, const float* bias = nullptr,
                             int32_t activation = UPS_ACTIVATION_NONE) {
  if (width == 0) return;
  const int lanes = lanes_for(width);
  launch_later_pieces(launch, graph, values, rows, width, later);
  launch.elements(aggregate<block_threads>, rows * lanes, graph, values, later, rows, width, lanes, bias, activation,
                  y);
}

}  // namespace upsilon
