// Blocks of Philox counters side by side, word by word, so that the compiler turns each of the
// plain loops below into vectors of the instruction set; the same scalar functions as the
// reference, so the same bits. About 25 integer operations a number.
#if defined(UPS_LIB_MATH_PHILOX_BLOCK_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_MATH_PHILOX_BLOCK_SIMD_H
#undef UPS_LIB_MATH_PHILOX_BLOCK_SIMD_H
#else
#define UPS_LIB_MATH_PHILOX_BLOCK_SIMD_H
#endif

#include "lib/math/philox.h"
#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

constexpr int64_t block_quads = 64, block_numbers = 4 * block_quads;

// Word w of counter i of a block is words[w][i].
struct alignas(64) PhiloxBlock {
  uint32_t words[4][block_quads];

  void put(int64_t i, const PhiloxWords& from) {
    for (int w = 0; w < 4; ++w) words[w][i] = from.word[w];
  }
};

// The quads `first` and following of one stream. The counter's upper word does not change within:
// not for a block that begins at a multiple of its length.
inline void draw(uint64_t first, uint64_t stream, uint64_t seed, PhiloxBlock& block) {
  const auto low = static_cast<uint32_t>(first), high = static_cast<uint32_t>(first >> 32);
  const auto stream0 = static_cast<uint32_t>(stream), stream1 = static_cast<uint32_t>(stream >> 32);
  const auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (uint32_t i = 0; i < block_quads; ++i) block.put(i, philox(low + i, high, stream0, stream1, key0, key1));
}

// Any quads of any streams: counters `at` to `at` + `count` - 1 of a block become the quads `first`
// and following of a stream ...
inline void set_counters(PhiloxBlock& block, int64_t at, int64_t count, uint64_t first, uint64_t stream) {
  const auto stream0 = static_cast<uint32_t>(stream), stream1 = static_cast<uint32_t>(stream >> 32);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t quad = first + static_cast<uint64_t>(i);
    block.put(at + i, {{static_cast<uint32_t>(quad), static_cast<uint32_t>(quad >> 32), stream0, stream1}});
  }
}
// ... and are then drawn in place.
inline void draw(uint64_t seed, PhiloxBlock& block) {
  const auto& w = block.words;
  const auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int64_t i = 0; i < block_quads; ++i) block.put(i, philox(w[0][i], w[1][i], w[2][i], w[3][i], key0, key1));
}

inline void uniform_block(const PhiloxBlock& block, float* y) {
  for (int64_t i = 0; i < block_quads; ++i)
    for (int w = 0; w < 4; ++w) y[4 * i + w] = uniform_of(block.words[w][i]);
}

// The uniform numbers `first` to `first` + `count` - 1 of a stream go to `buffer`, a few more
// around them; returns where the first of them is. The buffer has room for count + row_room.
constexpr int64_t row_quads = 16, row_room = 4 * row_quads;
inline const float* uniform_row(int64_t first, int64_t count, uint64_t stream, uint64_t seed, float* buffer) {
  const uint64_t first_quad = static_cast<uint64_t>(first) / 4;
  const int64_t quads = ceil_div(first % 4 + count, 4);
  for (int64_t done = 0; done < quads; done += row_quads) {
    alignas(64) uint32_t words[4][row_quads];
    for (int64_t i = 0; i < row_quads; ++i) {
      const PhiloxWords drawn = philox(first_quad + static_cast<uint64_t>(done + i), stream, seed);
      for (int w = 0; w < 4; ++w) words[w][i] = drawn.word[w];
    }
    for (int64_t i = 0; i < row_quads; ++i)
      for (int w = 0; w < 4; ++w) buffer[4 * (done + i) + w] = uniform_of(words[w][i]);
  }
  return buffer + first % 4;
}

UPS_SIMD_END

#endif
