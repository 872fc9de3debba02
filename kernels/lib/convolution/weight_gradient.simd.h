// The gradient of a weight, compiled in lib/convolution/weight_gradient.cpu.cc.
#if defined(UPS_LIB_CONVOLUTION_WEIGHT_GRADIENT_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_WEIGHT_GRADIENT_SIMD_H
#undef UPS_LIB_CONVOLUTION_WEIGHT_GRADIENT_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_WEIGHT_GRADIENT_SIMD_H
#endif

#include "lib/convolution/plan.h"
#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

// dW[coarse channel, fine channel, tap] = the sum over samples and places of coarse times fine.
// Its constructor reserves its scratch memory.
class WeightGradient {
 public:
  WeightGradient(const Convolution& shape, int32_t workers, WorkspaceLayout& workspace);
  void run(Threads& threads, const float* fine, const float* coarse, float* dweight) const;

 private:
  struct Chunk {
    int64_t samples;
    int64_t channels;  // of the fine grid
    int64_t begin[3], places[3];
  };
  Convolution shape_;
  GatherAxis axes_[3];
  BlockStrides strides_{};
  bool padded_in_place_;
  int64_t channels_per_task_, samples_per_chunk_, chunks_, parts_;
  int64_t scratch_floats_;
  TapTables taps_{};
  uint8_t* finite_;
  float *padded_, *scratch_, *sums_;

  void pad(Threads& threads, const float* coarse) const;
  float exact_sum(const Chunk& chunk, int64_t tap, const float* fine, const float* coarse) const;
  void add(const Chunk& chunk, const float* fine, const float* block, const float* coarse, const uint8_t* finite,
           float* sum) const;
};

UPS_SIMD_SHARED_END

#endif
