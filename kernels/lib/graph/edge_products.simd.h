// Products over the edges of a CSR graph, as gradients of edge weights need them: result[e] =
// <a_row(e), b_neighbour(e)>. Work: 2 E F FLOP; floor: reading the neighbour's row once per edge,
// as in a sum over the edges.
#if defined(UPS_LIB_GRAPH_EDGE_PRODUCTS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_GRAPH_EDGE_PRODUCTS_SIMD_H
#undef UPS_LIB_GRAPH_EDGE_PRODUCTS_SIMD_H
#else
#define UPS_LIB_GRAPH_EDGE_PRODUCTS_SIMD_H
#endif

#include "lib/simd/dot.simd.h"

UPS_SIMD_BEGIN

struct EdgeProducts {
  const int32_t *row_offsets, *neighbours;
  const int32_t* positions;  // where an edge's product goes; null: to the edge itself
  const float *a, *b;  // rows of `features`
  int64_t features, edges;  // row_offsets never reach beyond `edges`
};

// For the edges of the rows first .. first + rows.
inline void multiply_edges(const EdgeProducts& g, int64_t first, int64_t rows, float* result) {
  constexpr int64_t fetch_ahead = 16;  // edges whose rows are fetched early; see lib/graph/aggregate.cpu.cc
  for (int64_t i = first; i < first + rows; ++i)
    for (int64_t e = g.row_offsets[i]; e < g.row_offsets[i + 1]; ++e) {
      if (e + fetch_ahead < g.edges) {
        const float* later = g.b + g.neighbours[e + fetch_ahead] * g.features;
        for (int64_t c = 0; c < g.features; c += 64 / static_cast<int64_t>(sizeof(float)))
          __builtin_prefetch(later + c);
      }
      result[g.positions ? g.positions[e] : e] =
          dot(g.a + i * g.features, g.b + g.neighbours[e] * g.features, g.features);
    }
}

UPS_SIMD_END

#endif
