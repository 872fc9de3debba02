#define UPS_SIMD_SOURCE "lib/segments/pools.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/segments/pools.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

// y[c] = x[0, c] joined with all further elements, for `vectors` full vectors of channels, or one
// of `count` channels. `chains` of elements alternate, so that an addition need not wait for the
// one before it.
template <int32_t pool, int vectors, int chains>
void pool_columns(const float* x, int64_t channels, int64_t elements, int64_t count, float* y) {
  const auto value = [&](int64_t i, int v) {
    const float* from = x + i * channels + v * lanes;
    return vectors == 1 ? load_some(from, count) : load(from);
  };
  Floats pooled[chains][vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) pooled[0][v] = value(0, v);
  int64_t i = 1;
  if (chains > 1 && elements >= 2 * chains) {
#pragma GCC unroll 4
    for (int chain = 1; chain < chains; ++chain)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) pooled[chain][v] = value(chain, v);
    for (i = chains; i + chains <= elements; i += chains)
#pragma GCC unroll 4
      for (int chain = 0; chain < chains; ++chain)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) pooled[chain][v] = joined(pool, pooled[chain][v], value(i + chain, v));
#pragma GCC unroll 4
    for (int chain = 1; chain < chains; ++chain)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) pooled[0][v] = joined(pool, pooled[0][v], pooled[chain][v]);
  }
  for (; i < elements; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) pooled[0][v] = joined(pool, pooled[0][v], value(i, v));
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) store_some(y + v * lanes, pooled[0][v], vectors == 1 ? count : lanes);
}

template <int32_t pool>
void pool_all_columns(const float* x, int64_t channels, int64_t elements, float* y) {
  for (int64_t c = 0; c < channels;) {
    const int64_t full = (channels - c) / lanes, vectors = full >= 8 ? 8 : full >= 4 ? 4 : full >= 2 ? 2 : 1;
    const int64_t columns = std::min(channels - c, vectors * lanes);
    const auto run = vectors == 8   ? pool_columns<pool, 8, 1>
                     : vectors == 4 ? pool_columns<pool, 4, 2>
                     : vectors == 2 ? pool_columns<pool, 2, 4>
                                    : pool_columns<pool, 1, 4>;
    run(x + c, channels, elements, columns, y + c);
    c += columns;
  }
}

template <int32_t pool, int vectors>
void find_some_extremes(const float* x, int64_t channels, int64_t begin, int64_t end, int64_t columns,
                        Extreme* result) {
  const int64_t count = vectors == 1 ? columns : lanes;
  Extreme extremes[vectors];
  for (int v = 0; v < vectors; ++v)
    extremes[v] = {load_some(x + begin * channels + v * lanes, count), broadcast_element(begin)};
  for (int64_t i = begin + 1; i < end; ++i) {
    const Ints element = broadcast_element(i);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) extremes[v].take(pool, {load_some(x + i * channels + v * lanes, count), element});
  }
  for (int v = 0; v < vectors; ++v) result[v] = extremes[v];
}

template <int32_t pool>
void find(const float* x, int64_t channels, int64_t begin, int64_t end, int64_t columns, Extreme* extremes) {
  (columns > lanes ? find_some_extremes<pool, extreme_vectors> : find_some_extremes<pool, 1>)(x, channels, begin, end,
                                                                                              columns, extremes);
}

}  // namespace

void pool_rows(int32_t pool, const float* x, int64_t channels, int64_t elements, float* y) {
  const auto run = pool == UPS_POOL_MAX   ? pool_all_columns<UPS_POOL_MAX>
                   : pool == UPS_POOL_MIN ? pool_all_columns<UPS_POOL_MIN>
                                          : pool_all_columns<UPS_POOL_SUM>;
  run(x, channels, elements, y);
}

void find_extremes(int32_t pool, const float* x, int64_t channels, int64_t begin, int64_t end, int64_t columns,
                   Extreme* extremes) {
  (pool == UPS_POOL_MAX ? find<UPS_POOL_MAX> : find<UPS_POOL_MIN>)(x, channels, begin, end, columns, extremes);
}

void pool_weighted(const float* x, int64_t channels, int64_t elements, const float* weights, float* y) {
  int64_t c = 0;
  for (; c + 4 * lanes <= channels; c += 4 * lanes) {
    Floats sums[4] = {};
    for (int64_t r = 0; r < elements; ++r) {
      const Floats weight = broadcast(weights[r]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[v] += weight * load(x + r * channels + c + v * lanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) store(y + c + v * lanes, sums[v]);
  }
  each_vector(channels - c, [&](int64_t rest, int64_t here) {
    Floats sum = zero();
    for (int64_t r = 0; r < elements; ++r) sum += broadcast(weights[r]) * load_some(x + r * channels + c + rest, here);
    store_some(y + c + rest, sum, here);
  });
}

void pool_pieces(int32_t pool, const SetPieces& sets, int64_t begin, int64_t size, const float* partials,
                 int64_t channels, float* y) {
  each_vector(channels, [&](int64_t c, int64_t here) {
    Floats pooled = load_some(partials + sets.slot_of(begin, 0) * channels + c, here);
    for (int64_t piece = 1; piece < ceil_div(size, sets.piece_elements); ++piece)
      pooled = joined(pool, pooled, load_some(partials + sets.slot_of(begin, piece) * channels + c, here));
    store_some(y + c, pooled, here);
  });
}

Extreme extreme_of_pieces(int32_t pool, const SetPieces& sets, int64_t begin, int64_t size, const Extreme* partials,
                          int64_t vectors, int64_t vector) {
  Extreme extreme = partials[sets.slot_of(begin, 0) * vectors + vector];
  for (int64_t piece = 1; piece < ceil_div(size, sets.piece_elements); ++piece)
    extreme.take(pool, partials[sets.slot_of(begin, piece) * vectors + vector]);
  return extreme;
}

UPS_SIMD_SHARED_END
