// CUDA: a thread draws the four numbers of one Philox counter. Floor: y once to memory.
#include "lib/math/no_contraction.h"

#include "lib/cuda/cuda.h"

#include "lib/math/normal.h"
#include "random/random_call.h"

namespace upsilon {
namespace {

struct Uniform {
  using Named = RandomUniformCall;
  UPS_ON_DEVICE static float4 of(const PhiloxWords& w) {
    return make_float4(uniform_of(w.word[0]), uniform_of(w.word[1]), uniform_of(w.word[2]), uniform_of(w.word[3]));
  }
};
struct Normal {
  using Named = RandomNormalCall;
  UPS_ON_DEVICE static float4 of(const PhiloxWords& w) {
    const NormalPair first = normals_of(w.word[0], w.word[1]), second = normals_of(w.word[2], w.word[3]);
    return make_float4(first.first, first.second, second.first, second.second);
  }
};

template <class Distribution, int threads>
UPS_KERNEL_LB(threads)
draw(const int32_t* fault, Random<float, typename Distribution::Named> f, bool by_vectors) {
  if (*fault != 0) return;
  const bool one_row = f.row_quads == f.quads;  // spares the division
  for (int64_t quad = global_thread(); quad < f.quads; quad += global_threads()) {
    const int64_t row = one_row ? 0 : quad / f.row_quads, place = quad - row * f.row_quads;
    float4 numbers =
        Distribution::of(philox(static_cast<uint64_t>(place), f.stream + static_cast<uint64_t>(row), f.seed));
    numbers = make_float4(f.line.at(numbers.x), f.line.at(numbers.y), f.line.at(numbers.z), f.line.at(numbers.w));
    const int64_t first = row * f.per_stream + 4 * place;
    float* const y = f.y + first;
    const int64_t left = ups::min(f.per_stream - 4 * place, f.count - first);
    if (by_vectors && left >= 4) {
      *reinterpret_cast<float4*>(y) = numbers;
    } else {
      y[0] = numbers.x;
      if (left > 1) y[1] = numbers.y;
      if (left > 2) y[2] = numbers.z;
      if (left > 3) y[3] = numbers.w;
    }
  }
}

template <class Distribution>
ups_status run(const Call& call) {
  const Random<float, typename Distribution::Named> f(call);
  Launcher launch(call);
  launch.elements(draw<Distribution, block_threads>, f.quads, f,
                  f.quads_are_dense() && reinterpret_cast<uintptr_t>(f.y) % 16 == 0);
  return launch.status();
}

UPS_CUDA_VARIANT(uniform, RandomUniformCall, run<Uniform>)
UPS_CUDA_VARIANT(normal, RandomNormalCall, run<Normal>)

}  // namespace
}  // namespace upsilon
