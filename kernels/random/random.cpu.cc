// SIMD: plain loops over blocks of counters, which the compiler turns into vectors; the same scalar functions as the
// reference, so the same bits. Floor: about 25 integer operations per number for Philox, as many again for a normal; memory
// is never the limit.
#include "common/no_contraction.h"

#include "random/random.h"
#include "common/normal.h"
#include "random/random_call.h"

#define UPS_SIMD_SOURCE "random/random.cpu.cc"
#include "common/each_isa.h"
#include "common/philox_block.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_blocks = 128;

void normal_block(const PhiloxBlock& block, float* y) {
  alignas(64) float normals[4][block_quads];
  for (int pair = 0; pair < 4; pair += 2) {
    float *first = normals[pair], *second = normals[pair + 1];
    for (int64_t i = 0; i < block_quads; ++i) first[i] = squared_radius_of(block.words[pair][i]);
    each_vector(block_quads, [&](int64_t i, int64_t) { store(first + i, sqrt(load(first + i))); });
    for (int64_t i = 0; i < block_quads; ++i) {
      const float radius = first[i];
      const NormalPair direction = direction_of(block.words[pair + 1][i]);
      first[i] = rounded_product(radius, direction.first);
      second[i] = rounded_product(radius, direction.second);
    }
  }
  for (int64_t i = 0; i < block_quads; ++i)
    for (int w = 0; w < 4; ++w) y[4 * i + w] = normals[w][i];
}

template <void convert(const PhiloxBlock&, float*)>
ups_status fill(const Call& call) {
  const RandomCall<float> f(call);
  const int64_t blocks = ceil_div(f.count, block_numbers);
  call.threads->run(ceil_div(blocks, task_blocks), [&](int64_t task, int32_t) {
    PhiloxBlock drawn;
    const int64_t end = std::min(blocks, (task + 1) * task_blocks);
    for (int64_t block = task * task_blocks; block < end; ++block) {
      draw(block, f.stream, f.seed, drawn);
      float* y = f.y + block * block_numbers;
      const int64_t here = f.count - block * block_numbers;
      if (here >= block_numbers) {
        convert(drawn, y);
      } else {
        alignas(64) float last[block_numbers];
        convert(drawn, last);
        std::memcpy(y, last, static_cast<size_t>(here) * sizeof(float));
      }
    }
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(uniform, "random_uniform", fill<uniform_block>)
UPS_CPU_VARIANT(normal, "random_normal", fill<normal_block>)

UPS_SIMD_END
