// Chunks of rows through all layers, up and down again; their activations stay in a worker's scratch.
#if defined(UPS_LIB_DENSE_LAYERS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_LAYERS_SIMD_H
#undef UPS_LIB_DENSE_LAYERS_SIMD_H
#else
#define UPS_LIB_DENSE_LAYERS_SIMD_H
#endif

#include "lib/dense/layers.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/activate_rows.simd.h"

UPS_SIMD_BEGIN

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

inline PackedWeights reserve_transposed(const Layers<float>& f, int32_t layers, Pieces& pieces) {
  PackedWeights packed;
  for (int32_t l = 0; l < layers; ++l) {
    packed.layer[l] = pieces.take<float>(packed_size(f.inputs(l), f.outputs(l)));
    packed.first_panel[l + 1] = packed.first_panel[l] + panels(f.outputs(l));
  }
  return packed;
}

inline void pack_transposed(Threads& threads, const Layers<float>& f, int32_t layers, const PackedWeights& packed) {
  threads.run(packed.first_panel[layers], [&](int64_t panel, int32_t) {
    int32_t l = 0;
    while (panel >= packed.first_panel[l + 1]) ++l;
    const int64_t own = panel - packed.first_panel[l];
    pack_panel_transposed(f.weight[l], f.inputs(l), f.inputs(l), f.outputs(l), own,
                          packed.layer[l] + own * panel_columns * f.inputs(l));
  });
}

// values[rows, outputs] = act(x W^T + b) of one layer. Where `sums` is given it keeps x W^T + b.
inline void apply_layer(const Layers<float>& f, int32_t l, const PackedWeights& packed, const float* x, int64_t rows,
                        float* values, float* sums) {
  const int64_t outputs = f.outputs(l);
  float* to = sums ? sums : values;
  multiply(Order::rows, x, f.inputs(l), rows, packed.layer[l], f.inputs(l), outputs, to, outputs,
           {f.bias[l], false, f.activation[l] == UPS_ACTIVATION_RELU});
  if (sums) std::copy_n(sums, rows * outputs, values);
  activate_rows(values, rows * outputs, f.activation[l]);
}

// The gradients of a chunk's rows through all layers. `recomputed` layers get their values again: all, or without the
// last where nobody looks at its values.
struct LayersBackward {
  int32_t recomputed;
  PackedWeights weights;                           // transposed
  float* plain_weights[max_layers] = {};   // packed for products with W
  int64_t weight_sums[max_layers], bias_sums[max_layers], group_floats = 0;
  int64_t row_floats;  // of scratch, about
  // Per worker, at these places: the layers' values; what gelu's slope needs, the sums before it; gradients behind and
  // before the activation of the present layer, and the next one's.
  int64_t values[max_layers], sums[max_layers], gradients[2], packed_x, worker_floats = 0;
  float* workers_floats = nullptr;

  LayersBackward(const Layers<float>& f, bool wants_dx, bool needs_last, Pieces& pieces) {
    recomputed = !needs_last && f.activation[f.layers - 1] == UPS_ACTIVATION_NONE ? f.layers - 1 : f.layers;
    weights = reserve_transposed(f, recomputed, pieces);
    row_floats = 2 * f.widest_layer();
    for (int32_t l = 0; l < f.layers; ++l) {
      if (l > 0 || wants_dx) plain_weights[l] = pieces.take<float>(packed_size(f.outputs(l), f.inputs(l)));
      weight_sums[l] = group_floats;
      bias_sums[l] = group_floats + f.outputs(l) * f.inputs(l);
      group_floats = bias_sums[l] + f.outputs(l);
      row_floats += f.outputs(l) * (f.activation[l] == UPS_ACTIVATION_GELU ? 2 : 1);
    }
  }

  // Scratch for chunks of at most `rows` rows.
  void reserve_workers(const Layers<float>& f, int64_t rows, int32_t workers, Pieces& pieces) {
    int64_t most_inputs = 0;
    for (int32_t l = 0; l < f.layers; ++l) most_inputs = std::max(most_inputs, f.inputs(l));
    const auto take = [&](int64_t floats) {
      const int64_t at = worker_floats;
      worker_floats += round_up(floats, 16);
      return at;
    };
    for (int32_t l = 0; l < recomputed; ++l) {
      values[l] = take(rows * f.outputs(l));
      sums[l] = f.activation[l] == UPS_ACTIVATION_GELU ? take(rows * f.outputs(l)) : -1;
    }
    for (int64_t& gradient : gradients) gradient = take(rows * f.widest_layer());
    packed_x = take(packed_size(rows, most_inputs));
    workers_floats = pieces.take<float>(worker_floats * workers);
  }

  void pack(Threads& threads, const Layers<float>& f) const {
    pack_transposed(threads, f, recomputed, weights);
    for (int32_t l = 0; l < f.layers; ++l)
      if (plain_weights[l]) pack_weight_for_gradient(threads, f.weight[l], f.outputs(l), f.inputs(l), plain_weights[l]);
  }

  float* own(int32_t worker) const { return workers_floats + worker * worker_floats; }

  // The values of `rows` rows of x again.
  void up(const Layers<float>& f, const float* x, int64_t rows, float* own) const {
    for (int32_t l = 0; l < recomputed; ++l) {
      apply_layer(f, l, weights, x, rows, own + values[l], sums[l] >= 0 ? own + sums[l] : nullptr);
      x = own + values[l];
    }
  }

  // From the gradient of the last layer's values, `dh`, to those of the parameters, which are added to `group_sums`,
  // and of x. dh may lie at gradients[layers % 2]. Comes after up().
  void down(const Layers<float>& f, const LayerGradients<float>& to, const float* x, const float* dh, int64_t rows,
            float* dx, float* own, float* group_sums) const {
    for (int32_t l = f.layers - 1; l >= 0; --l) {
      const int64_t inputs = f.inputs(l), outputs = f.outputs(l);
      const float* dz = dh;
      float* next = own + gradients[l % 2];
      if (f.activation[l] != UPS_ACTIVATION_NONE) {
        // In place of the sums for gelu, of the values else: neither is needed any more.
        float* slopes = own + (sums[l] >= 0 ? sums[l] : values[l]);
        slope_rows(own + values[l], dh, slopes, rows * outputs, f.activation[l]);
        dz = slopes;
      }
      if (to.dweight[l])
        add_weight_gradient(dz, outputs, l > 0 ? own + values[l - 1] : x, inputs, rows, own + packed_x,
                            group_sums + weight_sums[l]);
      if (to.dbias[l]) add_rows(dz, outputs, rows, outputs, group_sums + bias_sums[l]);
      if (l == 0) next = dx;
      if (next) multiply(Order::rows, dz, outputs, rows, plain_weights[l], outputs, inputs, next, inputs, {});
      dh = next;
    }
  }

  void total(Threads& threads, const Layers<float>& f, const LayerGradients<float>& to, const GroupSums& groups) const {
    for (int32_t l = 0; l < f.layers; ++l) {
      if (to.dweight[l]) groups.total(threads, weight_sums[l], f.outputs(l) * f.inputs(l), to.dweight[l]);
      if (to.dbias[l]) groups.total(threads, bias_sums[l], f.outputs(l), to.dbias[l]);
    }
  }
};

UPS_SIMD_END

#endif
