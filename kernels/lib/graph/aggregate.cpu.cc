#include "upsilon/upsilon.h"

#define UPS_SIMD_SOURCE "lib/graph/aggregate.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/graph/aggregate.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

// Edges ahead whose rows are fetched early. A row of 64 floats is four cache lines; random rows of
// a large graph come from L3 or memory, and some sixteen rows in flight hide that latency.
constexpr int64_t fetch_ahead = 16;
constexpr int line_vectors = 64 / sizeof(Floats);  // vectors in a cache line

template <bool weighted>
[[gnu::always_inline]] inline float coefficient(const Aggregation& g, int64_t e, int32_t source) {
  float c = g.source_scale ? g.source_scale[source] : 1.0f;
  if (weighted) c *= g.edge_weights[g.edge_ids ? g.edge_ids[e] : e];
  return c;
}

// `vectors` vectors of features from column `at` on, kept in registers over the edges of a row.
// `tail` > 0: the last vector has so many features.
template <int vectors, bool weighted, bool relu>
void columns(const Aggregation& g, int64_t first, int64_t rows, const float* x, int64_t features, int64_t at,
             int64_t tail, float* y) {
  const auto load_part = [&](const float* row, int v) {
    return vectors == 1 && tail ? load_first(row + at, tail) : load(row + at + v * lanes);
  };
  const auto part = [&](int64_t row, int v) {
    const Floats values = load_part(x + row * features, v);
    if (!relu) return values;
    return values * (load_part(g.relu_of + row * features, v) > zero() ? broadcast(1.0f) : zero());
  };
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t i = first + r;
    Floats sums[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = zero();
    const int64_t end = g.row_offsets[i + 1];
    for (int64_t e = g.row_offsets[i]; e < end; ++e) {
      if (e + fetch_ahead < g.edges) {
        const int64_t later = g.sources[e + fetch_ahead] * features + at;
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v += line_vectors) {
          __builtin_prefetch(x + later + v * lanes);
          if (relu) __builtin_prefetch(g.relu_of + later + v * lanes);
        }
      }
      const int32_t source = g.sources[e];
      if (g.loop && source == i) continue;
      const Floats c = broadcast(coefficient<weighted>(g, e, source));
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[v] = c * part(source, v) + sums[v];
    }
    if (g.loop) {
      const Floats c = broadcast(g.source_scale ? g.loop[i] * g.source_scale[i] : g.loop[i]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[v] = c * part(i, v) + sums[v];
    }
    const Floats t = broadcast(g.target_scale ? g.target_scale[i] : 1.0f);
    float* to = y + r * features + at;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v)
      if (vectors == 1 && tail) store_first(to, t * sums[v], tail);
      else store(to + v * lanes, t * sums[v]);
  }
}

template <bool weighted, bool relu>
void all_columns(const Aggregation& g, int64_t first, int64_t rows, const float* x, int64_t features, float* y) {
  int64_t at = 0;
  for (; at + 8 * lanes <= features; at += 8 * lanes) columns<8, weighted, relu>(g, first, rows, x, features, at, 0, y);
  for (; at + 4 * lanes <= features; at += 4 * lanes) columns<4, weighted, relu>(g, first, rows, x, features, at, 0, y);
  for (; at < features; at += lanes)
    columns<1, weighted, relu>(g, first, rows, x, features, at, features - at < lanes ? features - at : 0, y);
}

}  // namespace

void aggregate_rows(const Aggregation& g, int64_t first, int64_t rows, const float* x, int64_t features, float* y) {
  const auto run = g.edge_weights ? g.relu_of ? all_columns<true, true> : all_columns<true, false>
                   : g.relu_of    ? all_columns<false, true>
                                  : all_columns<false, false>;
  run(g, first, rows, x, features, y);
}

UPS_SIMD_SHARED_END
