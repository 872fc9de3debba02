// Pools over the rows of a set, channel by channel, and over the pieces of a cut one. A pool is one
// of UPS_POOL_*; a mean is a sum until its caller divides. Compiled in lib/segments/pools.cpu.cc.
#if defined(UPS_LIB_SEGMENTS_POOLS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SEGMENTS_POOLS_SIMD_H
#undef UPS_LIB_SEGMENTS_POOLS_SIMD_H
#else
#define UPS_LIB_SEGMENTS_POOLS_SIMD_H
#endif

#include "lib/segments/pool.h"
#include "lib/segments/set_pieces.simd.h"

UPS_SIMD_SHARED_BEGIN

// Two pooled vectors become one.
[[gnu::always_inline]] inline Floats joined(int32_t pool, Floats so_far, Floats next) {
  if (pool == UPS_POOL_MAX) return next > so_far || next != next ? next : so_far;
  if (pool == UPS_POOL_MIN) return next < so_far || next != next ? next : so_far;
  return so_far + next;
}

// y[c] = pool of x[i, c] over `elements` > 0 rows.
void pool_rows(int32_t pool, const float* x, int64_t channels, int64_t elements, float* y);
// y[c] = sum over the rows of weights[r] x[r, c].
void pool_weighted(const float* x, int64_t channels, int64_t elements, const float* weights, float* y);
// y[c] = pool over the pieces of a cut set, which begins at element `begin`; partials[slot, c] has
// what they came to.
void pool_pieces(int32_t pool, const SetPieces& sets, int64_t begin, int64_t size, const float* partials,
                 int64_t channels, float* y);

// The extreme of one vector of channels and the element it stands at.
struct Extreme {
  Floats value;
  Ints element;

  // Takes from `next` the lanes that are more extreme, and returns which. Of equal values the first
  // stays, and so does the first NaN.
  [[gnu::always_inline]] Ints take(int32_t pool, const Extreme& next) {
    const Ints beyond = pool == UPS_POOL_MAX ? next.value > value : next.value < value;
    const Ints replaced = beyond | ((next.value != next.value) & (value == value));
    value = replaced ? next.value : value;
    element = replaced ? next.element : element;
    return replaced;
  }
};

inline Ints broadcast_element(int64_t element) { return static_cast<int32_t>(element) - Ints{}; }

// dx[extreme element, c] = dy[c] for `count` channels.
inline void scatter(const Extreme& extreme, const float* dy, int64_t channels, int64_t count, float* dx) {
  for (int64_t k = 0; k < count; ++k) dx[extreme.element[k] * channels + k] = dy[k];
}

constexpr int extreme_vectors = 4;  // searched together, so that none waits for comparisons of another

// The extremes of x[i, c] over the elements [begin, end), for extreme_vectors vectors of channels,
// or for one of at most `lanes`: `columns` says which.
void find_extremes(int32_t pool, const float* x, int64_t channels, int64_t begin, int64_t end, int64_t columns,
                   Extreme* extremes);

// Calls found(extreme, channel, count) for every vector of channels.
template <class Found>
void each_extreme(int32_t pool, const float* x, int64_t channels, int64_t begin, int64_t end, Found&& found) {
  Extreme extremes[extreme_vectors];
  int64_t c = 0;
  for (; c + extreme_vectors * lanes <= channels; c += extreme_vectors * lanes) {
    find_extremes(pool, x + c, channels, begin, end, extreme_vectors * lanes, extremes);
    for (int v = 0; v < extreme_vectors; ++v) found(extremes[v], c + v * lanes, static_cast<int64_t>(lanes));
  }
  each_vector(channels - c, [&](int64_t rest, int64_t here) {
    find_extremes(pool, x + c + rest, channels, begin, end, here, extremes);
    found(extremes[0], c + rest, here);
  });
}

// The extreme over the pieces of a cut set, for one of `vectors` vectors of channels;
// partials[slot, vector].
Extreme extreme_of_pieces(int32_t pool, const SetPieces& sets, int64_t begin, int64_t size, const Extreme* partials,
                          int64_t vectors, int64_t vector);

inline void multiply_row(const float* from, float factor, int64_t width, float* to) {
  each_vector(
      width, [&](int64_t c, int64_t here) { store_some(to + c, load_some(from + c, here) * broadcast(factor), here); });
}

inline void divide(const float* y, int64_t count, int64_t size, float* result) {
  const Floats divisor = broadcast(static_cast<float>(size));
  each_vector(count, [&](int64_t c, int64_t here) { store_some(result + c, load_some(y + c, here) / divisor, here); });
}

UPS_SIMD_SHARED_END

#endif
