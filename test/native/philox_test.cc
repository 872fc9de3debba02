// Philox 4x32-10 against the known answers published with Random123 (kat_vectors), and what is made
// of its words.
#include <cmath>
#include <cstdio>

#include "lib/math/normal.h"
#include "lib/math/philox.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "philox_test: %s\n", what);
  ++failures;
}

struct KnownAnswer {
  uint32_t counter[4], key[2], words[4];
};

constexpr KnownAnswer known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

void check_words() {
  for (const KnownAnswer& k : known_answers) {
    const upsilon::PhiloxWords words =
        upsilon::philox(k.counter[0], k.counter[1], k.counter[2], k.counter[3], k.key[0], k.key[1]);
    const upsilon::PhiloxWords same =
        upsilon::philox(uint64_t{k.counter[1]} << 32 | k.counter[0], uint64_t{k.counter[3]} << 32 | k.counter[2],
                        uint64_t{k.key[1]} << 32 | k.key[0]);
    for (int w = 0; w < 4; ++w) {
      expect(words.word[w] == k.words[w], "the words differ from the known answer");
      expect(same.word[w] == k.words[w], "element, stream and seed are not the words of counter and key");
    }
  }
}

void check_uniforms() {
  expect(upsilon::uniform_of(0) == 0.0f, "the least uniform is not 0");
  expect(upsilon::uniform_of(0xffffffff) == 1.0f - 1.0f / 16777216, "the largest uniform is not 1 - 2^-24");
}

// Box and Muller in double precision, and the words that reach every branch of the logarithm and
// the angle.
void check_normals() {
  constexpr uint32_t edges[] = {0,          1,          2,          0x1fffffff, 0x20000000, 0x3fffffff, 0x40000000,
                                0x5fffffff, 0x60000000, 0x7fffffff, 0x80000000, 0x9fffffff, 0xa0000000, 0xb504f333,
                                0xb504f334, 0xbfffffff, 0xc0000000, 0xdfffffff, 0xe0000000, 0xfffffffe, 0xffffffff};
  double worst = 0;
  const auto check = [&](uint32_t radius_word, uint32_t angle_word) {
    const float u = (static_cast<float>(radius_word) + 0.5f) * (1.0f / 4294967296.0f);
    const double radius = std::sqrt(-2 * std::log(static_cast<double>(u)));
    const double angle = 2 * 3.14159265358979323846 * angle_word / 4294967296.0;
    const upsilon::NormalPair pair = upsilon::normals_of(radius_word, angle_word);
    worst = std::fmax(worst, std::fabs(pair.first - radius * std::cos(angle)) / (radius + 1e-30));
    worst = std::fmax(worst, std::fabs(pair.second - radius * std::sin(angle)) / (radius + 1e-30));
  };
  for (const uint32_t radius_word : edges)
    for (const uint32_t angle_word : edges) check(radius_word, angle_word);
  for (uint64_t quad = 0; quad < 100000; ++quad) {
    const upsilon::PhiloxWords words = upsilon::philox(quad, 1, 2);
    check(words.word[0], words.word[1]);
    check(words.word[2], words.word[3]);
  }
  expect(worst < 3e-7, "normals differ from Box and Muller's transform in double precision");
}

}  // namespace

int main() {
  check_words();
  check_uniforms();
  check_normals();
  return failures == 0 ? 0 : 1;
}
