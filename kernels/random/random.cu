// CUDA: a thread draws the four numbers of one Philox counter. Floor: y once to memory.
#include "common/no_contraction.h"

#include "common/cuda.h"

#include "common/normal.h"
#include "random/random_call.h"

namespace upsilon {
namespace {

struct Uniform {
  UPS_ON_DEVICE static float4 of(const PhiloxWords& w) {
    return make_float4(uniform_of(w.word[0]), uniform_of(w.word[1]), uniform_of(w.word[2]), uniform_of(w.word[3]));
  }
};
struct Normal {
  UPS_ON_DEVICE static float4 of(const PhiloxWords& w) {
    const NormalPair first = normals_of(w.word[0], w.word[1]), second = normals_of(w.word[2], w.word[3]);
    return make_float4(first.first, first.second, second.first, second.second);
  }
};

template <class Distribution, int threads>
UPS_KERNEL_LB(threads)
draw(const int32_t* fault, RandomCall<float> f, bool by_vectors) {
  if (*fault != 0) return;
  const int64_t quads = (f.count + 3) / 4;
  for (int64_t quad = global_thread(); quad < quads; quad += global_threads()) {
    const float4 numbers = Distribution::of(philox(static_cast<uint64_t>(quad), f.stream, f.seed));
    float* const y = f.y + 4 * quad;
    const int64_t left = f.count - 4 * quad;
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
  const RandomCall<float> f(call);
  Launcher launch(call);
  launch.elements(draw<Distribution, block_threads>, ceil_div(f.count, 4), f,
                  reinterpret_cast<uintptr_t>(f.y) % 16 == 0);
  return launch.status();
}

UPS_CUDA_VARIANT(uniform, "random_uniform", run<Uniform>)
UPS_CUDA_VARIANT(normal, "random_normal", run<Normal>)

}  // namespace
}  // namespace upsilon
