// Products over the edges of a CSR graph, as gradients of edge weights need them: result[e] = <a_row(e), b_neighbour(e)>.
// Work: 2 E F FLOP; floor: reading the neighbour's row once per edge, as in a sum over the edges.

UPS_SIMD_BEGIN

struct EdgeProducts {
  const int32_t *row_offsets, *neighbours;
  const int32_t* positions;  // where an edge's product goes; null: to the edge itself
  const float *a, *b;  // rows of `features`
  int64_t features, edges;  // row_offsets never reach beyond `edges`
};

// The sum of the lanes, by halves.
[[gnu::always_inline]] inline float sum_by_halves(Floats v) {
  typedef float Four __attribute__((vector_size(16)));
  Four parts[lanes / 4];
  std::memcpy(parts, &v, sizeof v);
  for (int half = lanes / 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  return (parts[0][0] + parts[0][2]) + (parts[0][1] + parts[0][3]);
}

inline float dot(const float* a, const float* b, int64_t length) {
  Floats sums[2] = {zero(), zero()};
  int64_t i = 0;
  for (; i + 2 * lanes <= length; i += 2 * lanes) {
    sums[0] = load(a + i) * load(b + i) + sums[0];
    sums[1] = load(a + i + lanes) * load(b + i + lanes) + sums[1];
  }
  if (i + lanes <= length) {
    sums[0] = load(a + i) * load(b + i) + sums[0];
    i += lanes;
  }
  if (i < length) sums[1] = load_first(a + i, length - i) * load_first(b + i, length - i) + sums[1];
  return sum_by_halves(sums[0] + sums[1]);
}

// For the edges of the rows first .. first + rows.
inline void multiply_edges(const EdgeProducts& g, int64_t first, int64_t rows, float* result) {
  constexpr int64_t fetch_ahead = 16;  // edges whose rows are fetched early; see common/aggregate.cpu.cc
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
