// A checked call of knn_graph, as plain numbers and pointers, and what all variants share.
#pragma once
#include <algorithm>

#include "core/named_call.h"
#include "knn_graph/knn_graph.h"

namespace upsilon {

inline constexpr OperationLine knn_graph_line{"knn_graph", UPS_KNN_GRAPH_SCHEMA};
using KnnGraphCall = CallOf<knn_graph_line, ups_knn_graph_options>;

template <class T>
struct KnnGraph {
  int64_t points, width, events, most;
  const T* x;
  const int32_t* offsets;
  int32_t *row_offsets, *sources;
  bool loop;

  explicit KnnGraph(const KnnGraphCall& call)
      : points(call.dim("N")), width(call.dim("D")), events(call.dim("B")), most(call.dim("K")), x(call["x"]),
        offsets(call["offsets"]), row_offsets(call["row_offsets"]), sources(call["sources"]),
        loop(call.options().loop != 0) {}
};

// Neighbours of each point in an event of `size` points.
inline int64_t row_length(int64_t size, int64_t most, bool loop) {
  return std::min(most, std::max<int64_t>(size - (loop ? 0 : 1), 0));
}

// Fills row_offsets and clears what lies behind the last row.
template <class T>
void lay_out_rows(const KnnGraph<T>& f) {
  int64_t at = 0;
  std::fill_n(f.row_offsets, f.offsets[0], 0);
  for (int64_t event = 0; event < f.events; ++event) {
    const int64_t begin = f.offsets[event], end = f.offsets[event + 1];
    const int64_t length = row_length(end - begin, f.most, f.loop);
    for (int64_t i = begin; i < end; ++i, at += length) f.row_offsets[i] = static_cast<int32_t>(at);
  }
  const int64_t rest = f.offsets[f.events];
  std::fill_n(f.row_offsets + rest, f.points + 1 - rest, static_cast<int32_t>(at));
  std::fill_n(f.sources + at, f.points * f.most - at, 0);
}

// Positions of edges are 32-bit.
template <class Distance>
struct NeighbourAt {
  Distance distance;  // squared
  int32_t index;
  bool operator<(const NeighbourAt& other) const {
    return distance < other.distance || (distance == other.distance && index < other.index);
  }
};
using Neighbour = NeighbourAt<double>;

// The distance that decides: compiled with the reference, so that no instruction set contracts its
// sums.
double squared_distance(const float* a, const float* b, int64_t width);

}  // namespace upsilon
