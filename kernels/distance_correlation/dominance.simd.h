// Weighted sums over dominated points, the two-dimensional part of the distance correlation.
// Elements stand in the order of y and carry their rank in x, a permutation; afterwards they stand
// in the order of x, and `below` of each is
//   sum over elements earlier in y with a smaller rank of p (y_k - y)
// whose terms are all >= 0, so that nothing cancels;
// with `products` (WideElement) the same sum of p (x_k - x) (y_k - y).
//
// A most-significant-digit radix sort by rank, with 16 digits a level: what an element adds to its
// sum at a level is what elements of smaller digits have left in its block so far, p and p y, kept
// as running sums over the digits below each. Every pair meets at exactly one level. log16 n
// passes, each 32 bytes read and written per element.
#if defined(UPS_DISTANCE_CORRELATION_DOMINANCE_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_DISTANCE_CORRELATION_DOMINANCE_SIMD_H
#undef UPS_DISTANCE_CORRELATION_DOMINANCE_SIMD_H
#else
#define UPS_DISTANCE_CORRELATION_DOMINANCE_SIMD_H
#endif

#include <utility>

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

struct Element {
  double below, y, p;
  int64_t rank;
};
struct WideElement {
  double below, y, p;
  int64_t rank;
  double products, x;
};

constexpr int digits = 16;
constexpr int64_t block_elements = 1 << 16;  // up to here a block is one thread's, and its levels run depth first
constexpr int64_t level_chunk = 1 << 14;

// Which bits of the rank each level sorts by: as even a share as possible, at most 4.
struct Levels {
  int count = 0, shift[16] = {}, bits[16] = {};
  explicit Levels(int64_t elements) {
    int left = 0;
    while ((int64_t{1} << left) < elements) ++left;
    count = std::max(1, (left + 3) / 4);
    for (int level = 0; level < count; ++level) {
      bits[level] = (left + count - level - 1) / (count - level);
      left -= bits[level];
      shift[level] = left;
    }
  }
  int64_t span(int level) const { return int64_t{1} << (shift[level] + bits[level]); }
  int digit(int level, int64_t rank) const { return static_cast<int>(rank >> shift[level]) & ((1 << bits[level]) - 1); }
};

// Running sums: element d of each is over the digits below d.
struct DigitSums {
  alignas(64) double p[digits], y[digits], x[digits], xy[digits];
};
template <class E>
constexpr bool is_wide = std::is_same_v<E, WideElement>;

typedef double Doubles __attribute__((vector_size(UPS_LANES * 4)));
constexpr int double_lanes = UPS_LANES / 2;

struct Above {
  alignas(64) double digit[digits][digits];
  constexpr Above() : digit() {
    for (int d = 0; d < digits; ++d)
      for (int other = d + 1; other < digits; ++other) digit[d][other] = 1;
  }
};
constexpr Above above;

[[gnu::always_inline]] inline void add_above(double* sums, int digit, double value) {
#pragma GCC unroll 8
  for (int d = 0; d < digits; d += double_lanes) {
    Doubles sum, share;
    std::memcpy(&sum, sums + d, sizeof sum);
    std::memcpy(&share, above.digit[digit] + d, sizeof share);
    sum += share * value;
    std::memcpy(sums + d, &sum, sizeof sum);
  }
}

template <class E>
void sort_level(const E* from, E* to, int64_t begin, int64_t end, const Levels& levels, int level, DigitSums& sums,
                int64_t* place) {
  for (int64_t i = begin; i < end; ++i) {
    E e = from[i];
    const int d = levels.digit(level, e.rank);
    e.below += e.y * sums.p[d] - sums.y[d];
    const double py = e.p * e.y;
    if constexpr (is_wide<E>) {
      e.products += e.x * (e.y * sums.p[d] - sums.y[d]) - e.y * sums.x[d] + sums.xy[d];
      add_above(sums.x, d, e.p * e.x);
      add_above(sums.xy, d, py * e.x);
    }
    add_above(sums.p, d, e.p);
    add_above(sums.y, d, py);
    to[place[d]++] = e;
  }
}

template <class E>
void sort_block(E* from, E* to, int64_t begin, int64_t end, const Levels& levels, int level) {
  DigitSums sums{};
  int64_t place[digits];
  for (int d = 0; d < digits; ++d) place[d] = begin + (int64_t{d} << levels.shift[level]);
  sort_level(from, to, begin, end, levels, level, sums, place);
  if (level + 1 == levels.count) return;
  const int64_t part = int64_t{1} << levels.shift[level];
  for (int64_t at = begin; at < end; at += part) sort_block(to, from, at, std::min(end, at + part), levels, level + 1);
}

// One level of blocks that are cut into chunks: what each chunk leaves per digit, then where each
// begins.
struct LevelChunk {
  DigitSums sums;
  int64_t place[digits];
};
inline int64_t level_chunks(int64_t elements) { return elements / level_chunk + elements / block_elements + 2; }

template <class E>
void sort_level_in_chunks(Threads& threads, const E* from, E* to, int64_t count, const Levels& levels, int level,
                          LevelChunk* chunks) {
  const int64_t span = levels.span(level), per_block = ceil_div(span, level_chunk);
  const int64_t blocks = ceil_div(count, span), last_block = (blocks - 1) * span;
  const int64_t total = (blocks - 1) * per_block + ceil_div(count - last_block, level_chunk);
  const auto range = [&](int64_t chunk) {
    const int64_t block = chunk / per_block, begin = block * span + chunk % per_block * level_chunk;
    return std::pair(begin, std::min({count, (block + 1) * span, begin + level_chunk}));
  };
  threads.run(total, [&](int64_t chunk, int32_t) {
    LevelChunk& c = chunks[chunk] = {};
    const auto [begin, end] = range(chunk);
    for (int64_t i = begin; i < end; ++i) {
      const E& e = from[i];
      const int d = levels.digit(level, e.rank);
      ++c.place[d];
      c.sums.p[d] += e.p;
      c.sums.y[d] += e.p * e.y;
      if constexpr (is_wide<E>) {
        c.sums.x[d] += e.p * e.x;
        c.sums.xy[d] += e.p * e.y * e.x;
      }
    }
  });
  threads.run(blocks, [&](int64_t block, int32_t) {
    DigitSums before{};
    int64_t place[digits];
    for (int d = 0; d < digits; ++d) place[d] = block * span + (int64_t{d} << levels.shift[level]);
    for (int64_t chunk = block * per_block; chunk < std::min(total, (block + 1) * per_block); ++chunk) {
      LevelChunk& c = chunks[chunk];
      const DigitSums own = c.sums;
      DigitSums below{};
      for (int d = 0; d < digits; ++d) {
        for (const auto field : {&DigitSums::p, &DigitSums::y, &DigitSums::x, &DigitSums::xy}) {
          (c.sums.*field)[d] = (below.*field)[0];  // element 0 serves as the running sum over the digits
          (below.*field)[0] += (before.*field)[d];
          (before.*field)[d] += (own.*field)[d];
        }
        place[d] += std::exchange(c.place[d], place[d]);
      }
    }
  });
  threads.run(total, [&](int64_t chunk, int32_t) {
    const auto [begin, end] = range(chunk);
    sort_level(from, to, begin, end, levels, level, chunks[chunk].sums, chunks[chunk].place);
  });
}

// Returns which of the two buffers the elements are in. `chunks`: level_chunks(count), for more
// than block_elements.
template <class E>
E* sum_dominated(Threads& threads, E* from, E* to, int64_t count, LevelChunk* chunks) {
  const Levels levels(count);
  int level = 0;
  for (; levels.span(level) > block_elements; ++level) {
    sort_level_in_chunks(threads, from, to, count, levels, level, chunks);
    std::swap(from, to);
  }
  const int64_t span = levels.span(level);
  threads.run(ceil_div(count, span), [&](int64_t block, int32_t) {
    sort_block(from, to, block * span, std::min(count, (block + 1) * span), levels, level);
  });
  return (levels.count - level) % 2 ? to : from;
}

UPS_SIMD_END

#endif
