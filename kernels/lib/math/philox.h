// Philox 4x32-10, a counter-based random number generator: J. Salmon, M. Moraes, R. Dror, D. Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC11. Element i of stream s under seed k needs no
// state, only (i, s, k), so every device and any number of threads draw the same numbers. Plain
// functions: the reference, the SIMD variants and CUDA share them.
#pragma once
#include <cstdint>

#if !defined(UPS_HD)
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

struct PhiloxWords {
  uint32_t word[4];
};

// The counter as four words, the key as two, lowest first.
UPS_HD inline PhiloxWords philox(uint32_t counter0, uint32_t counter1, uint32_t counter2, uint32_t counter3,
                                 uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter0, product1 = uint64_t{0xCD9E8D57} * counter2;
    counter0 = static_cast<uint32_t>(product1 >> 32) ^ counter1 ^ key0;
    counter2 = static_cast<uint32_t>(product0 >> 32) ^ counter3 ^ key1;
    counter1 = static_cast<uint32_t>(product1);
    counter3 = static_cast<uint32_t>(product0);
    key0 += 0x9E3779B9;  // the golden ratio
    key1 += 0xBB67AE85;  // sqrt(3) - 1
  }
  return {{counter0, counter1, counter2, counter3}};
}

// The words of elements 4 `quad` to 4 `quad` + 3 of a stream.
UPS_HD inline PhiloxWords philox(uint64_t quad, uint64_t stream, uint64_t seed) {
  return philox(static_cast<uint32_t>(quad), static_cast<uint32_t>(quad >> 32), static_cast<uint32_t>(stream),
                static_cast<uint32_t>(stream >> 32), static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// [0, 1) with 24 bits: every value is exact.
UPS_HD inline float uniform_of(uint32_t word) { return static_cast<float>(word >> 8) * (1.0f / 16777216); }

}  // namespace upsilon
