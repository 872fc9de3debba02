// Products over the edges of a graph, on the device: <a_row(e), b_neighbour(e)>, as gradients of
// edge weights need them. Floor: the gathered rows of b.
#pragma once
#include "lib/graph/aggregate.cuh"

namespace upsilon {

inline constexpr int product_lanes = 8;  // that share an edge: together they read whole sectors of 32 bytes

// The product of two rows, the same in every lane of the tile.
UPS_ON_DEVICE float product_of_rows(const ups::Tile<product_lanes>& tile, const float* a, const float* b,
                                    int64_t width) {
  float sum = 0.0f;
  for (int64_t c = tile.rank; c < width; c += product_lanes) sum += a[c] * b[c];
  return tile.sum(sum);
}

// result[positions[e]] = <a_row, b_neighbour> for the edges of every row; positions null: at e
// itself.
template <int threads>
UPS_KERNEL_LB(threads)
multiply_edges(const int32_t* fault, Aggregation graph, const float* a, const float* b, int64_t rows, int64_t items,
               int64_t width, float* result) {
  if (*fault != 0) return;
  const auto tile = ups::Tile<product_lanes>::here();
  const int64_t tiles = global_threads() / product_lanes;
  for (int64_t item = global_thread() / product_lanes; item < items; item += tiles) {
    const RowPiece piece = piece_of_item<edge_piece>(graph.offsets, rows, item);
    for (int64_t e = piece.begin; e < piece.end; ++e) {
      const float product = product_of_rows(tile, a + piece.row * width, b + graph.neighbours[e] * width, width);
      if (tile.rank == 0) result[graph.positions ? graph.positions[e] : e] = product;
    }
  }
}

// Edges in no row get 0.
inline void launch_edge_products(Launcher& launch, const Aggregation& graph, const float* a, const float* b,
                                 int64_t rows, int64_t width, float* result) {
  const int64_t items = rows + later_windows<edge_piece>(graph.edges);
  launch.clear(result, static_cast<size_t>(graph.edges) * sizeof(float));
  launch.elements(multiply_edges<block_threads>, rows == 0 ? 0 : items * product_lanes, graph, a, b, rows, items, width,
                  result);
}

}  // namespace upsilon
