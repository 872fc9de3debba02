// The stable counting sort behind graph_from_edges and graph_transpose. Integer work bound by
// memory latency: one plain loop serves every instruction set, and the order of equal keys is the
// order of the input by construction.
#pragma once
#include "lib/kernel.h"
#include "graph/graph_call.h"

namespace upsilon {

// offsets[n] .. offsets[n+1] are the places of key n; place(key) hands them out in order while
// offsets are shifted by one, and the last step shifts them back.
inline void count_keys(const int32_t* keys, int64_t first, int64_t end, int64_t nodes, int32_t* offsets) {
  std::memset(offsets, 0, sizeof(int32_t) * static_cast<size_t>(nodes + 1));
  for (int64_t e = first; e < end; ++e) ++offsets[keys[e] + 1];
  for (int64_t n = 0; n < nodes; ++n) offsets[n + 1] += offsets[n];
}
inline void restore_offsets(int64_t nodes, int32_t* offsets) {
  for (int64_t n = nodes; n > 0; --n) offsets[n] = offsets[n - 1];
  offsets[0] = 0;
}

template <class T>
ups_status sort_edges(const Call& call) {
  const GraphFromEdges<T> f(call);
  count_keys(f.edge_targets, 0, f.edges, f.nodes, f.row_offsets);
  for (int64_t e = 0; e < f.edges; ++e) {
    const int32_t place = f.row_offsets[f.edge_targets[e]]++;
    f.sources[place] = f.edge_sources[e];
    if (f.weights) f.weights[place] = f.edge_weights[e];
  }
  restore_offsets(f.nodes, f.row_offsets);
  return UPS_OK;
}

inline ups_status transpose_edges(const Call& call) {
  const GraphTranspose f(call);
  const int64_t first = f.rows ? f.row_offsets[0] : 0, end = f.rows ? f.row_offsets[f.rows] : 0;
  count_keys(f.sources, first, end, f.nodes, f.transposed_offsets);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int64_t e = f.row_offsets[row]; e < f.row_offsets[row + 1]; ++e) {
      const int32_t place = f.transposed_offsets[f.sources[e]]++;
      f.targets[place] = static_cast<int32_t>(row);
      f.edge_ids[place] = static_cast<int32_t>(e);
    }
  restore_offsets(f.nodes, f.transposed_offsets);
  for (int64_t e = end - first; e < f.edges; ++e) f.targets[e] = f.edge_ids[e] = 0;
  return UPS_OK;
}

}  // namespace upsilon
