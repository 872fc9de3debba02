// SIMD: plain loops over blocks of counters, which the compiler turns into vectors; the same scalar
// functions as the reference, so the same bits. A block takes the quads of as many rows as it has
// room for, so that short rows fill vectors too. Floor: about 25 integer operations per number for
// Philox, as many again for a normal; memory is never the limit.
#include "lib/math/no_contraction.h"

#include "random/random.h"
#include "lib/math/normal.h"
#include "random/random_call.h"

#define UPS_SIMD_SOURCE "random/random.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/philox_block.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_quads = 128 * block_quads;

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

// Calls body(row, place, at, here) for every row that quads `first` to `first` + `count` - 1 touch:
// `here` of them, number `at` and following, are the row's own from `place` on.
template <class Body>
void each_row(int64_t first, int64_t count, int64_t per_row, Body&& body) {
  int64_t row = first / per_row, place = first % per_row;
  for (int64_t at = 0; at < count; ++row, place = 0) {
    const int64_t here = std::min(per_row - place, count - at);
    body(row, place, at, here);
    at += here;
  }
}

// A row fills most blocks of long rows alone, which is faster.
template <class Named>
void draw_rows(const Random<float, Named>& f, int64_t first, int64_t quads, PhiloxBlock& block) {
  bool one_row = false;
  each_row(first, quads, f.row_quads, [&](int64_t row, int64_t place, int64_t at, int64_t here) {
    const uint64_t quad = static_cast<uint64_t>(place), stream = f.stream + static_cast<uint64_t>(row);
    one_row = here == quads && static_cast<uint32_t>(quad) <= UINT32_MAX - block_quads;
    if (one_row) draw(quad, stream, f.seed, block);
    else set_counters(block, at, here, quad, stream);
  });
  if (!one_row) draw(f.seed, block);
}

template <class Named, void convert(const PhiloxBlock&, float*)>
ups_status fill(const Call& call) {
  const Random<float, Named> f(call);
  const Line line = f.line;
  call.threads->run(ceil_div(f.quads, task_quads), [&](int64_t task, int32_t) {
    PhiloxBlock block{};
    const int64_t end = std::min(f.quads, (task + 1) * task_quads);
    for (int64_t first = task * task_quads; first < end; first += block_quads) {
      const int64_t quads = std::min(block_quads, end - first);
      draw_rows(f, first, quads, block);
      const bool direct = f.quads_are_dense() && 4 * (first + block_quads) <= f.count;
      alignas(64) float buffer[block_numbers];
      float* const y = direct ? f.y + 4 * first : buffer;
      convert(block, y);
      if (line.changes())
        for (int64_t i = 0; i < block_numbers; ++i) y[i] = line.at(y[i]);
      if (direct) continue;
      each_row(first, quads, f.row_quads, [&](int64_t row, int64_t place, int64_t at, int64_t here) {
        const int64_t begin = row * f.per_stream + 4 * place;
        const int64_t numbers = std::min({4 * here, f.per_stream - 4 * place, f.count - begin});
        std::memcpy(f.y + begin, buffer + 4 * at, static_cast<size_t>(numbers) * sizeof(float));
      });
    }
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(uniform, RandomUniformCall, fill<RandomUniformCall, uniform_block>)
UPS_CPU_VARIANT(normal, RandomNormalCall, fill<RandomNormalCall, normal_block>)

UPS_SIMD_END
