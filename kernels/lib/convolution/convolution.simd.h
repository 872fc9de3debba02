// Convolutions in both directions and their gradients; compiled in lib/convolution/convolution.cpu.cc and
// lib/convolution/weight_gradient.cpu.cc. The classes lay out their scratch memory when they are made, with pieces that measure
// or hand out.
#if defined(UPS_LIB_CONVOLUTION_CONVOLUTION_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_CONVOLUTION_SIMD_H
#undef UPS_LIB_CONVOLUTION_CONVOLUTION_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_CONVOLUTION_SIMD_H
#endif

#include "lib/convolution/plan.h"
#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

// A grid from the other one: coarse = act(bias + fine * W), or fine = act(bias + the adjoint of coarse).
class Gather {
 public:
  Gather(const Convolution& shape, Towards towards, int32_t workers, Pieces& pieces, bool with_moments = false);
  // `moments`, where they are wanted: mean and variance of every channel of every sample of the result.
  void run(Threads& threads, const float* source, const float* weight, const float* bias, int32_t activation,
           float* result, double* moments = nullptr) const;

 private:
  struct Segment {
    int32_t start, d, h, w, count;
  };
  struct Block {
    int64_t image, first_output, outputs;
    int64_t begin[3], places[3];
  };
  Convolution shape_;
  GatherAxis axes_[3];
  int64_t inputs_, outputs_;  // channels of a group
  bool with_moments_;
  bool in_place_;  // the source itself serves as the block
  int64_t beside_ = 1;  // taps that lie side by side in the vectors of a source in place
  bool sums_rows_;  // taps along the width serve as outputs
  bool copies_shifts_;  // a block holds a copy of its source for every shift along the width
  int64_t splits_ = 1;  // of the outputs
  BlockStrides strides_{};
  int64_t scratch_floats_ = 0, most_segments_ = 0;
  TapTables taps_{};
  // By tap, in outputs: where its weights of channel 0 are packed, and how far behind those of the next channel.
  int64_t *packed_first_, *packed_step_;
  float *packed_, *scratch_;
  Segment* segments_;
  Moments* moments_;  // of every channel, by block

  int64_t shift_copies() const { return copies_shifts_ ? axes_[2].span + 1 : 1; }
  int64_t row_floats() const { return copies_shifts_ ? axes_[2].block() : axes_[2].extent(); }
  int64_t blocks() const { return axes_[0].blocks * axes_[1].blocks * axes_[2].blocks; }  // of an image
  int64_t tasks() const { return shape_.samples * shape_.groups * blocks(); }
  bool in_place_by_pairs() const;
  bool should_sum_rows() const;
  bool should_copy_shifts() const;
  // In place, vectors must not begin before a row of the source nor end behind it.
  bool rows_hold_vectors(int64_t width) const { return !in_place_ || width >= lanes; }
  void cut(int32_t workers);
  void fill_rows_of_taps() const;
  void pack(Threads& threads, const float* weight) const;
  void pack_pairs(Threads& threads, const float* weight) const;
  void load_blocks(Threads& threads, const float* source) const;
  Block block_of(int64_t task) const;
  int64_t find_segments(const Block& block, Segment* segments) const;
  void compute(const Block& block, const float* source, const Segment* segments, int64_t count, const float* bias,
               int32_t activation, float* result) const;
  void sum_rows(const Block& block, const float* source, const float* weight, const float* bias, int32_t activation,
                float* scratch, float* result) const;
  void put(const Block& block, const Segment* segments, int64_t vectors, const int64_t (&phase)[3], int64_t together,
           int64_t first_output, int64_t outputs, const float* sums, float* result) const;
  void take_moments(const Block& block, int64_t number, const float* result) const;
  void join_moments(Threads& threads, double* moments) const;
};

// dW[coarse channel, fine channel, tap] = the sum over samples and places of coarse times fine.
class WeightGradient {
 public:
  WeightGradient(const Convolution& shape, int32_t workers, Pieces& pieces);
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

// Copies a block of `channels` channels from the source: phase by phase, zeros where the grid ends.
void load_block(const GatherAxis (&axes)[3], const BlockStrides& strides, const float* source, int64_t channels,
                const int64_t (&begin)[3], float* block);

// result[c] = the sum over samples and places of values[sample, c, place]; `parts` has samples * channels numbers.
void channel_sums(Threads& threads, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result);

// dz = dy act'(z): over all, in tasks.
void slopes(Threads& threads, const float* y, const float* dy, float* dz, int64_t count, int32_t activation);

UPS_SIMD_SHARED_END

#endif
