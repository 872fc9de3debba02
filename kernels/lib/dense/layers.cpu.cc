#include "lib/dense/layers.h"

#define UPS_SIMD_SOURCE "lib/dense/layers.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/layers.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_SHARED_BEGIN

PackedWeights reserve_transposed(const Layers<float>& f, int32_t layers, WorkspaceLayout& workspace) {
  PackedWeights packed;
  for (int32_t l = 0; l < layers; ++l) {
    packed.layer[l] = workspace.reserve<float>(packed_size(f.inputs(l), f.outputs(l)));
    packed.first_panel[l + 1] = packed.first_panel[l] + panels(f.outputs(l));
  }
  return packed;
}

void pack_transposed(Threads& threads, const Layers<float>& f, int32_t layers, const PackedWeights& packed) {
  threads.run(packed.first_panel[layers], [&](int64_t panel, int32_t) {
    int32_t l = 0;
    while (panel >= packed.first_panel[l + 1]) ++l;
    const int64_t own = panel - packed.first_panel[l];
    pack_panel_transposed(f.weight[l], f.inputs(l), f.inputs(l), f.outputs(l), own,
                          packed.layer[l] + own * panel_columns * f.inputs(l));
  });
}

void apply_layer(const Layers<float>& f, int32_t l, const PackedWeights& packed, const float* x, int64_t rows,
                 float* values, float* sums) {
  const int64_t outputs = f.outputs(l);
  float* to = sums ? sums : values;
  multiply(Order::rows, x, f.inputs(l), rows, packed.layer[l], f.inputs(l), outputs, to, outputs,
           {f.bias[l], false, f.activation[l] == UPS_ACTIVATION_RELU});
  if (sums) std::copy_n(sums, rows * outputs, values);
  activate_rows(values, rows * outputs, f.activation[l]);
}

LayersBackward::LayersBackward(const Layers<float>& f, bool wants_dx, bool needs_last, WorkspaceLayout& workspace) {
  recomputed = !needs_last && f.activation[f.layers - 1] == UPS_ACTIVATION_NONE ? f.layers - 1 : f.layers;
  weights = reserve_transposed(f, recomputed, workspace);
  row_floats = 2 * f.widest_layer();
  for (int32_t l = 0; l < f.layers; ++l) {
    if (l > 0 || wants_dx) plain_weights[l] = workspace.reserve<float>(packed_size(f.outputs(l), f.inputs(l)));
    weight_sums[l] = group_floats;
    bias_sums[l] = group_floats + f.outputs(l) * f.inputs(l);
    group_floats = bias_sums[l] + f.outputs(l);
    row_floats += f.outputs(l) * (f.activation[l] == UPS_ACTIVATION_GELU ? 2 : 1);
  }
}

void LayersBackward::reserve_workers(const Layers<float>& f, int64_t rows, int32_t workers,
                                     WorkspaceLayout& workspace) {
  int64_t max_inputs = 0;
  for (int32_t l = 0; l < f.layers; ++l) max_inputs = std::max(max_inputs, f.inputs(l));
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
  packed_x = take(packed_size(rows, max_inputs));
  workers_floats = workspace.reserve<float>(worker_floats * workers);
}

void LayersBackward::pack(Threads& threads, const Layers<float>& f) const {
  pack_transposed(threads, f, recomputed, weights);
  for (int32_t l = 0; l < f.layers; ++l)
    if (plain_weights[l]) pack_weight_for_gradient(threads, f.weight[l], f.outputs(l), f.inputs(l), plain_weights[l]);
}

void LayersBackward::up(const Layers<float>& f, const float* x, int64_t rows, float* own) const {
  for (int32_t l = 0; l < recomputed; ++l) {
    apply_layer(f, l, weights, x, rows, own + values[l], sums[l] >= 0 ? own + sums[l] : nullptr);
    x = own + values[l];
  }
}

void LayersBackward::down(const Layers<float>& f, const LayerGradients<float>& to, const float* x, const float* dh,
                          int64_t rows, float* dx, float* own, float* group_sums) const {
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    const int64_t inputs = f.inputs(l), outputs = f.outputs(l);
    const float* dz = dh;
    float* next = own + gradients[l % 2];
    if (f.activation[l] != UPS_ACTIVATION_NONE) {
      // Overwrites the sums for gelu, the values otherwise: neither is needed any more.
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

void LayersBackward::total(Threads& threads, const Layers<float>& f, const LayerGradients<float>& to,
                           const GroupSums& groups) const {
  for (int32_t l = 0; l < f.layers; ++l) {
    if (to.dweight[l]) groups.total(threads, weight_sums[l], f.outputs(l) * f.inputs(l), to.dweight[l]);
    if (to.dbias[l]) groups.total(threads, bias_sums[l], f.outputs(l), to.dbias[l]);
  }
}

UPS_SIMD_SHARED_END
