#include "upsilon/upsilon.h"

#define UPS_SIMD_SOURCE "common/aggregate.cpu.cc"
#include "common/each_isa.h"
#include "common/aggregate.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

// Edges ahead whose rows are fetched early. A row of 64 floats is four cache lines; random rows of a large graph come
// from L3 or memory, and some twelve rows in flight hide that latency.
constexpr int32_t fetch_ahead = 12;
constexpr int line_vectors = 64 / sizeof(Floats);  // vectors in a cache line

[[gnu::always_inline]] inline float coefficient(const Edges& edges, int32_t e) {
  float c = edges.weights ? edges.weights[edges.ids ? edges.ids[e] : e] : 1.0f;
  if (edges.source_scale) c *= edges.source_scale[edges.sources[e]];
  return c;
}

// `vectors` vectors of features from column `at` on, kept in registers over all edges.
template <int vectors, bool whole>
[[gnu::always_inline]] inline void columns(const Edges& edges, int32_t first, int32_t end, int64_t self, float loop,
                                           float scale, const float* x, int64_t features, int64_t at, int64_t tail,
                                           float* y) {
  const auto row_part = [&](const float* row, int v) {
    return whole || v + 1 < vectors ? load(row + at + v * lanes) : load_first(row + at + v * lanes, tail);
  };
  Floats sums[vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) sums[v] = zero();
  for (int32_t e = first; e < end; ++e) {
    const int32_t source = edges.sources[e];
    if (e + fetch_ahead < end) {
      const float* later = x + edges.sources[e + fetch_ahead] * features + at;
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v += line_vectors) __builtin_prefetch(later + v * lanes);
    }
    if (source == self) continue;
    const Floats c = broadcast(coefficient(edges, e));
    const float* row = x + source * features;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = c * row_part(row, v) + sums[v];
  }
  if (self >= 0) {
    const Floats c = broadcast(loop * (edges.source_scale ? edges.source_scale[self] : 1.0f));
    const float* row = x + self * features;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = c * row_part(row, v) + sums[v];
  }
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v)
    if (whole || v + 1 < vectors) store(y + at + v * lanes, broadcast(scale) * sums[v]);
    else store_first(y + at + v * lanes, broadcast(scale) * sums[v], tail);
}

}  // namespace

void aggregate_row(const Edges& edges, int32_t first, int32_t end, int64_t self, float loop, float scale,
                   const float* x, int64_t features, float* y) {
  int64_t at = 0;
  for (; at + 8 * lanes <= features; at += 8 * lanes)
    columns<8, true>(edges, first, end, self, loop, scale, x, features, at, 0, y);
  for (; at + 4 * lanes <= features; at += 4 * lanes)
    columns<4, true>(edges, first, end, self, loop, scale, x, features, at, 0, y);
  for (; at + lanes <= features; at += lanes)
    columns<1, true>(edges, first, end, self, loop, scale, x, features, at, 0, y);
  if (at < features) columns<1, false>(edges, first, end, self, loop, scale, x, features, at, features - at, y);
}

UPS_SIMD_SHARED_END
