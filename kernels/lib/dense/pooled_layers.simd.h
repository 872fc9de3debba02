// Layers over particles and the pooling of their results, in one pass: chunks of whole sets (or of
// pieces of large ones) go through all layers in a worker's scratch, in L1 and L2, and only their
// pooled rows are stored. Compiled in lib/dense/pooled_layers.cpu.cc.
#if defined(UPS_LIB_DENSE_POOLED_LAYERS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_POOLED_LAYERS_SIMD_H
#undef UPS_LIB_DENSE_POOLED_LAYERS_SIMD_H
#else
#define UPS_LIB_DENSE_POOLED_LAYERS_SIMD_H
#endif

#include "lib/dense/layers.simd.h"
#include "lib/dense/pooled_layers.h"
#include "lib/segments/pools.simd.h"

UPS_SIMD_SHARED_BEGIN

// Sets that are pooled into the same rows, one list after the other.
struct Earlier {
  const PooledLayers<float>* lists = nullptr;
  int32_t count = 0;

  bool hold_any(int64_t set) const {
    for (int32_t l = 0; l < count; ++l)
      if (lists[l].size(set) > 0) return true;
    return false;
  }
};

// Where the pooled rows go.
struct PooledRows {
  float* y;
  int64_t stride;
  const float* scales = nullptr;  // of means over several lists of sets; null: each set's own
  Earlier earlier = {};  // how many elements the rows already hold the pool of
};

struct PoolingScratch {
  SetPieces sets;
  int64_t hidden_floats;
  PackedWeights weights;
  float* hidden;  // per worker: two buffers, layers write into them in turns
  float* partials;  // of cut sets' pieces

  PoolingScratch(const PooledLayers<float>& f, int32_t workers, WorkspaceLayout& workspace);
};

// y = the pooled last layer of every set.
void pool_layers(Threads& threads, const PooledLayers<float>& f, const PoolingScratch& scratch, const PooledRows& to);

// The extremes over several lists of sets, each event's side by side, and the list where each
// stands.
struct SharedExtremes {
  Extreme* extremes = nullptr;
  Ints* lists = nullptr;
  int64_t vectors = 0;  // of an event

  SharedExtremes() = default;
  SharedExtremes(int64_t sets, int64_t width, WorkspaceLayout& workspace);
};

// What the gradients come from.
struct PooledGradients {
  const float* dy;
  int64_t stride;
  const float* scales = nullptr;  // of the sets, for means
  float* products = nullptr;  // dy . h of each particle, where they are wanted
  SharedExtremes shared = {};  // where rows hold the extremes of several lists
  int32_t list = 0;  // which of them this is
  Earlier earlier = {};
};

struct PooledBackwardScratch {
  LayersBackward layers;
  SetPieces sets;
  GroupSums groups;
  Extreme* partials = nullptr;  // of cut sets' pieces, then of the sets, at their first pieces

  PooledBackwardScratch(const PooledLayers<float>& f, bool wants_dx, bool wants_products, int32_t workers,
                        WorkspaceLayout& workspace);
};

// Finds extremes before the pass that needs them: of the cut sets, whose pieces lie in several
// chunks, and of all sets where several lists share them.
void find_extremes_first(Threads& threads, const PooledLayers<float>& f, const PooledBackwardScratch& scratch,
                         const PooledGradients& from);

// The gradients of the layers' parameters, of x and of the particles' weights.
void pooled_layers_backward(Threads& threads, const PooledLayers<float>& f, const PooledLayersGradients<float>& to,
                            const PooledBackwardScratch& scratch, const PooledGradients& from);

UPS_SIMD_SHARED_END

#endif
