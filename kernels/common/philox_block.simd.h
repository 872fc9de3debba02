// Blocks of Philox counters side by side, word by word, so that the compiler turns each of the plain loops below into
// vectors of the instruction set; the same scalar functions as the reference, so the same bits. About 25 integer operations
// a number. Needs common/philox.h.

UPS_SIMD_BEGIN

constexpr int64_t block_quads = 64, block_numbers = 4 * block_quads;

// Word w of counter i of a block is words[w][i]: of the counter itself, until it is drawn.
struct alignas(64) PhiloxBlock {
  uint32_t words[4][block_quads];
};

// Counters `at` to `at` + `count` - 1 of a block become quads `first` and following of a stream.
inline void set_counters(PhiloxBlock& block, int64_t at, int64_t count, uint64_t first, uint64_t stream) {
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t quad = first + static_cast<uint64_t>(i);
    block.words[0][at + i] = static_cast<uint32_t>(quad);
    block.words[1][at + i] = static_cast<uint32_t>(quad >> 32);
    block.words[2][at + i] = static_cast<uint32_t>(stream);
    block.words[3][at + i] = static_cast<uint32_t>(stream >> 32);
  }
}

inline void draw(uint64_t seed, PhiloxBlock& block) {
  auto& [w0, w1, w2, w3] = block.words;
  const auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int64_t i = 0; i < block_quads; ++i) {
    const PhiloxWords drawn = philox(w0[i], w1[i], w2[i], w3[i], key0, key1);
    w0[i] = drawn.word[0];
    w1[i] = drawn.word[1];
    w2[i] = drawn.word[2];
    w3[i] = drawn.word[3];
  }
}

inline void uniform_block(const PhiloxBlock& block, float* y) {
  for (int64_t i = 0; i < block_quads; ++i)
    for (int w = 0; w < 4; ++w) y[4 * i + w] = uniform_of(block.words[w][i]);
}

// The uniform numbers `first` to `first` + `count` - 1 of a stream go to `buffer`, a few more around them; returns where
// the first of them is. The buffer has room for count + row_room.
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
