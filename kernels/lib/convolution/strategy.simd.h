// What a strategy is. A new one is one file in strategies/, which defines <name>_strategy, and its
// name in the list of strategies.h.
#if defined(UPS_LIB_CONVOLUTION_STRATEGY_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_STRATEGY_SIMD_H
#undef UPS_LIB_CONVOLUTION_STRATEGY_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_STRATEGY_SIMD_H
#endif

#include "lib/convolution/plan.h"
#include "lib/convolution/strategies.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

constexpr int tile_vectors = 3;
#if UPS_LANES == 16
constexpr int tile_outputs = 8;  // 24 sums, 3 of the source, 1 weight: 28 of 32 registers
#else
constexpr int tile_outputs = 4;  // 12 sums, 3 of the source, 1 weight: 16 of 16
#endif
constexpr int64_t max_places_in_place = int64_t{1} << 30;  // of a source in place: its offsets are of 32 bits

struct Operands {
  const float *source, *weight, *bias;
  int32_t activation;
  float* result;
  double* moments;  // where they are wanted: mean and variance of every channel of every sample of the result
};

// A vector of places: where it begins in a source or block, its first place, and how many of its
// lanes count.
struct Segment {
  int32_t start, d, h, w, count;
};

// What a task computes: some outputs of some places of one image, which is a group of a sample.
struct Block {
  int64_t number;  // among all blocks of all images
  int64_t image, first_output, outputs;
  int64_t begin[3], places[3];
};

// A geometry cut into blocks, and the scratch memory of its strategy.
struct Plan : GatherGeometry {
  int32_t workers;
  bool with_moments;
  int64_t splits = 1;  // of the outputs of a block, among tasks
  BlockStrides strides{};
  int64_t scratch_floats = 0, max_segments = 0;  // of a task
  TapTables taps{};
  // By tap, in outputs: where its weights of channel 0 are packed, and how far behind those of the
  // next channel.
  int64_t *packed_first = nullptr, *packed_step = nullptr;
  float *packed = nullptr, *scratch = nullptr;
  Segment* segments = nullptr;
  Moments* moments = nullptr;  // of every channel, by block

  Plan(const Convolution& shape_, Towards towards_, int32_t workers_, bool with_moments_)
      : GatherGeometry(shape_, towards_), workers(workers_), with_moments(with_moments_) {}
  int64_t blocks() const { return axes[0].blocks * axes[1].blocks * axes[2].blocks; }  // of an image
  int64_t all_blocks() const { return shape.samples * shape.groups * blocks(); }
};

struct Strategy {
  // Whether its results are right for a geometry, and for nothing but the geometry, so that a test
  // can force the strategy wherever they are.
  bool (*fits)(const GatherGeometry&);
  // Whether it should be taken if it fits: it is then faster than those behind it in the list.
  bool (*preferred)(const GatherGeometry&);
  // Cuts the plan (cut_copied(), cut_in_place()) and reserves its scratch memory.
  void (*lay_out)(Plan&, WorkspaceLayout&);
  // Work done once for all blocks, such as packing weights.
  void (*prepare)(const Plan&, const Operands&, Threads&);
  void (*compute)(const Plan&, const Operands&, const Block&, int32_t worker);
};

#define UPS_DECLARE(name) extern const Strategy name##_strategy;
UPS_CONVOLUTION_STRATEGIES(UPS_DECLARE)
#undef UPS_DECLARE

inline bool always(const GatherGeometry&) { return true; }

// Cuts a plan into blocks of which copies fit a cache, and into so many tasks that workers end
// together. `copied_floats` says how large the copy of the largest block is.
void cut_copied(Plan& plan, int64_t (*copied_floats)(const Plan&));
// The same without copies. Rows of a block are no shorter than a vector, or run on for one at
// least.
void cut_in_place(Plan& plan);

Block block_of(const Plan& plan, int64_t task);

// sums[i] = act(sums[i]), in whole vectors.
inline void activate_sums(float* sums, int64_t count, int32_t activation) {
  if (activation == UPS_ACTIVATION_RELU) {
    for (int64_t i = 0; i < count; i += lanes) {
      const Floats y = load(sums + i);
      store(sums + i, y < zero() ? zero() : y);
    }
  } else {
    activate_rows(sums, count, activation);
  }
}

UPS_SIMD_SHARED_END

#endif
