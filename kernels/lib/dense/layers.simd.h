// Takes chunks of rows through all layers, forward and backward; their activations stay in a
// worker's scratch. Compiled in lib/dense/layers.cpu.cc.
#if defined(UPS_LIB_DENSE_LAYERS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_LAYERS_SIMD_H
#undef UPS_LIB_DENSE_LAYERS_SIMD_H
#else
#define UPS_LIB_DENSE_LAYERS_SIMD_H
#endif

#include "lib/dense/layers.h"
#include "lib/dense/weight_gradient.simd.h"

UPS_SIMD_SHARED_BEGIN

constexpr int64_t chunk_floats = 65536;  // what one chunk of rows may take of L2

// Rows whose scratch of `row_floats` each stays in L2: a multiple of every tile height.
inline int64_t rows_that_fit(int64_t row_floats, int64_t least, int64_t most) {
  const int64_t fit = chunk_floats / std::max<int64_t>(row_floats, 1) / 12 * 12;
  return std::clamp(fit, least, most);
}

// Weights of all layers, packed for products with W^T.
struct PackedWeights {
  float* layer[max_layers] = {};
  int64_t first_panel[max_layers + 1] = {};
};

// Memory for the first `layers` weights; pack_transposed() fills it.
PackedWeights reserve_transposed(const Layers<float>& f, int32_t layers, WorkspaceLayout& workspace);
void pack_transposed(Threads& threads, const Layers<float>& f, int32_t layers, const PackedWeights& packed);

// values[rows, outputs] = act(x W^T + b) of one layer. Where `sums` is given it keeps x W^T + b.
void apply_layer(const Layers<float>& f, int32_t l, const PackedWeights& packed, const float* x, int64_t rows,
                 float* values, float* sums);

// The gradients of a chunk's rows through all layers. The values of `recomputed` layers are
// computed again: of all layers, or of all but the last where its values are not needed.
struct LayersBackward {
  int32_t recomputed;
  PackedWeights weights;                           // transposed
  float* plain_weights[max_layers] = {};   // packed for products with W
  int64_t weight_sums[max_layers], bias_sums[max_layers], group_floats = 0;
  int64_t row_floats;  // of scratch, about
  // Per worker, at these places: the layers' values; what gelu's slope needs, the sums before it;
  // gradients behind and before the activation of the present layer, and the next one's.
  int64_t values[max_layers], sums[max_layers], gradients[2], packed_x, worker_floats = 0;
  float* workers_floats = nullptr;

  LayersBackward(const Layers<float>& f, bool wants_dx, bool needs_last, WorkspaceLayout& workspace);

  // Scratch for chunks of at most `rows` rows.
  void reserve_workers(const Layers<float>& f, int64_t rows, int32_t workers, WorkspaceLayout& workspace);

  // Packs the weights of all layers.
  void pack(Threads& threads, const Layers<float>& f) const;

  float* own(int32_t worker) const { return workers_floats + worker * worker_floats; }

  // The values of `rows` rows of x again.
  void up(const Layers<float>& f, const float* x, int64_t rows, float* own) const;

  // From the gradient of the last layer's values, `dh`, to those of the parameters, which are added
  // to `group_sums`, and of x. dh may lie at gradients[layers % 2]. Comes after up().
  void down(const Layers<float>& f, const LayerGradients<float>& to, const float* x, const float* dh, int64_t rows,
            float* dx, float* own, float* group_sums) const;

  // The parameters' gradients from the sums of all groups.
  void total(Threads& threads, const Layers<float>& f, const LayerGradients<float>& to, const GroupSums& groups) const;
};

UPS_SIMD_SHARED_END

#endif
