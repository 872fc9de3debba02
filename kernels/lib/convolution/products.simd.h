// Tiles of outputs x places whose source lies at constant distances, which all strategies but
// `rows` multiply; compiled in lib/convolution/products.cpu.cc.
#if defined(UPS_LIB_CONVOLUTION_PRODUCTS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_PRODUCTS_SIMD_H
#undef UPS_LIB_CONVOLUTION_PRODUCTS_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_PRODUCTS_SIMD_H
#endif

#include "lib/convolution/strategy.simd.h"

UPS_SIMD_SHARED_BEGIN

struct TileTaps {
  const int32_t* offsets;
  int64_t count, channels, channel;
  int64_t ahead;  // floats from the first vector to that of the next tile, which is fetched meanwhile
};

// result[outputs][vectors] = bias + the sum over channels and taps of weight times source.
using Tile = void (*)(const TileTaps&, const float* const* source, const float* weights, const float* bias,
                      float* result);

// The tiles of a strategy, by outputs and vectors.
struct Tiles {
  Tile of[tile_outputs][tile_vectors];
  int64_t max_vectors;
};
// Of one weight for each tap and output: what pack_weights() packs.
extern const Tiles plain_tiles;

// Takes tables of taps, packed weights and segments, which lie as find_segments() lays them.
void lay_out_products(Plan& plan, WorkspaceLayout& workspace, bool in_place);

// Fills the tables of taps and packs the weights, in lib/convolution/pack.cpu.cc. For every tile of
// outputs: by phase, [channel][tap][output].
void pack_weights(const Plan& plan, Threads& threads, const float* weight);

// The vectors that cover a block: along rows, or running on from row to row, or from plane to
// plane, whichever takes the fewest. `in_place` they do not leave the source: the last vector of a
// run is moved back to end with it, and computes some places twice.
int64_t find_segments(const Plan& plan, const Block& block, bool in_place, Segment* segments);

// The results of a block whose places look at `source`, from their segments on.
void multiply(const Plan& plan, const Operands& operands, const Block& block, const float* source,
              const Segment* segments, int64_t count, const Tiles& tiles);

UPS_SIMD_SHARED_END

#endif
