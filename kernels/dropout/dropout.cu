// CUDA: a thread draws the four numbers of one Philox counter. Floor: memory, x and y once.
#include "dropout/dropout.h"

#include "lib/cuda/cuda.h"
#include "dropout/dropout_call.h"

namespace upsilon {
namespace {

template <int threads>
UPS_KERNEL_LB(threads)
drop(const int32_t* fault, DropoutCall<float> f, bool by_vectors) {
  if (*fault != 0) return;
  const int64_t quads = (f.count + 3) / 4;
  for (int64_t quad = global_thread(); quad < quads; quad += global_threads()) {
    const PhiloxWords drawn = philox(static_cast<uint64_t>(quad), f.keep.stream, f.keep.seed);
    const auto kept = [&](float x, int w) { return uniform_of(drawn.word[w]) < f.keep.p ? 0.0f : x * f.keep.scale; };
    const float* const x = f.x + 4 * quad;
    float* const y = f.y + 4 * quad;
    const int64_t left = f.count - 4 * quad;
    if (by_vectors && left >= 4) {
      const float4 four = *reinterpret_cast<const float4*>(x);
      *reinterpret_cast<float4*>(y) = make_float4(kept(four.x, 0), kept(four.y, 1), kept(four.z, 2), kept(four.w, 3));
    } else {
      for (int w = 0; w < 4; ++w)
        if (w < left) y[w] = kept(x[w], w);
    }
  }
}

template <class Named>
ups_status run(const Call& call) {
  const DropoutCall<float> f(Named{call});
  Launcher launch(call);
  const auto aligned = [](const float* from) { return reinterpret_cast<uintptr_t>(from) % 16 == 0; };
  launch.elements(drop<block_threads>, ceil_div(f.count, 4), f, aligned(f.x) && aligned(f.y));
  return launch.status();
}

UPS_CUDA_VARIANT(forward, DropoutForwardCall, run<DropoutForwardCall>)
UPS_CUDA_VARIANT(backward, DropoutBackwardCall, run<DropoutBackwardCall>)

}  // namespace
}  // namespace upsilon
