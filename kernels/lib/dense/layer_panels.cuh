// Layers over a tile of rows in shared memory: a block takes up to 64 rows through all layers, from
// panel to panel (lib/dense/panel.cuh), and the gradients down through the same panels. The
// gradients of the parameters are added up over chunks of tiles, and the chunks in an order that
// depends on the shapes alone.
#pragma once
#include "lib/dense/layers.h"
#include "lib/dense/panel.cuh"

namespace upsilon {
namespace {

// All panels of a block besides PanelMemory: 163 KiB are there on compute capability 8.0, and mlp's
// limit forward.
constexpr int64_t max_forward_panel_bytes = 136 * 1024, max_backward_panel_bytes = 141 * 1024;

template <int precision>
UPS_ON_DEVICE int stride_of_width(int64_t width) {
  return static_cast<int>(panel_stride<precision>(padded_depth<PanelTile>(width)));
}
inline int64_t panel_floats(int64_t width) {
  return panel_bytes(padded_depth<PanelTile>(width)) / static_cast<int64_t>(sizeof(float));
}

inline bool has_own_sums(const Layers<float>& f, int32_t l) { return f.activation[l] == UPS_ACTIVATION_GELU; }

// Forward: inputs of even layers share a panel, and those of odd ones (the results are inputs of a
// layer more).
inline int64_t shared_panel_floats(const Layers<float>& f, int32_t first) {
  int64_t most = 0;
  for (int32_t l = first; l <= f.layers; l += 2) most = std::max(most, panel_floats(f.widths[l]));
  return most;
}
inline int64_t panel_floats_forward(const Layers<float>& f) {
  return shared_panel_floats(f, 0) + shared_panel_floats(f, 1);
}
inline int64_t panel_floats_backward(const Layers<float>& f) {
  int64_t floats = PanelTile::columns;  // a tile of a gradient looks so far behind the last panel
  for (int32_t l = 0; l <= f.layers; ++l)
    floats += panel_floats(f.widths[l]) * (l > 0 && has_own_sums(f, l - 1) ? 2 : 1);
  return floats;
}

struct PanelLayer {
  Operand weight, transposed;  // lines are outputs, or inputs
  const float* bias;
  int32_t inputs, outputs, activation;
};

struct PanelLayers {
  int32_t layers;
  PanelLayer layer[max_layers] = {};
  // Floats before the panel of the inputs of layer l, and before that of a layer's sums before its
  // activation: the same as that of its results where slopes are taken from these.
  int32_t panel[max_layers + 1] = {}, sums[max_layers + 1] = {};
  int32_t floats;  // of all panels

  PanelLayers(const Layers<float>& f, bool backward) : layers(f.layers) {
    const auto count = [](int64_t number) { return static_cast<int32_t>(number); };
    for (int32_t l = 0; l < f.layers; ++l)
      layer[l] = {operand(f.weight[l], f.inputs(l), f.outputs(l), f.inputs(l)),
                  operand(f.weight[l], f.inputs(l), f.inputs(l), f.inputs(l)),
                  f.bias[l],
                  count(f.inputs(l)),
                  count(f.outputs(l)),
                  f.activation[l]};
    floats = count(backward ? panel_floats_backward(f) : panel_floats_forward(f));
    int64_t at = 0;
    for (int32_t l = 0; l <= f.layers; ++l) {
      if (!backward) {
        panel[l] = sums[l] = l % 2 == 0 ? 0 : count(shared_panel_floats(f, 0));
        continue;
      }
      panel[l] = sums[l] = count(at);
      at += panel_floats(f.widths[l]);
      if (l == 0 || !has_own_sums(f, l - 1)) continue;
      sums[l] = count(at);
      at += panel_floats(f.widths[l]);
    }
  }
  UPS_HD int64_t width(int32_t l) const { return l == 0 ? layer[0].inputs : layer[l - 1].outputs; }
  UPS_HD int64_t last_width() const { return width(layers); }
};

// Takes the rows of the first panel through all layers. What lies in no row or column is 0, as far
// as products look, and has to be in the first panel. Begins with barriers behind what fills that,
// ends without.
template <class Shape, int precision>
UPS_ON_DEVICE void apply_layers(const PanelLayers& f, int rows, float* panels, PanelMemory<Shape, precision>& memory) {
  for (int l = 0; l < f.layers; ++l) {
    const Operand weight[1] = {f.layer[l].weight};
    const float* const bias = f.layer[l].bias;
    const int outputs = f.layer[l].outputs, stride = stride_of_width<precision>(outputs);
    const int32_t activation = f.layer[l].activation;
    float *const values = panels + f.panel[l + 1], *const sums = panels + f.sums[l + 1];
    multiply_panel<Shape, precision>(panels + f.panel[l], stride_of_width<precision>(f.layer[l].inputs), weight,
                                     f.layer[l].inputs, memory, [&](int row, int64_t column, float sum) {
                                       if (column >= stride) return;
                                       const bool inside = row < rows && column < outputs;
                                       const float z = inside && bias ? sum + bias[column] : sum;
                                       if (sums != values) sums[row * stride + column] = inside ? z : 0.0f;
                                       values[row * stride + column] = inside ? activate_value(z, activation) : 0.0f;
                                     });
  }
}

// store(out, in, the sum over the rows of dz[row, out] h[row, in]), for whole tiles.
template <class Shape, int precision, class Store>
UPS_ON_DEVICE void multiply_transposed(const float* dz, int dz_stride, int outputs, const float* h, int h_stride,
                                       int inputs, PanelMemory<Shape, precision>& memory, Store store) {
  for (int out = 0; out < outputs; out += Shape::rows)
    for (int in = 0; in < inputs; in += Shape::columns) {
      Sums<Shape, precision, Layout::across, Layout::across> sums;
      sums.clear();
      UPS_NO_UNROLL
      for (int row = 0; row < Shape::rows; row += Shape::depth)
        sums.add(dz + row * dz_stride + out, dz_stride, h + row * h_stride + in, h_stride);
      store_tile<Shape>(sums, reinterpret_cast<float*>(memory.staging),
                        [&](int row, int column, float sum) { store(out + row, in + column, sum); });
    }
}

// The gradients of the parameters from their parts, a row for each chunk of tiles.
struct Target {
  float* to;
  int64_t first, count;
};
struct Targets {
  Target target[2 * max_layers];
  int32_t count;
};

// Which gradients the backward pass computes.
struct Descent {
  int64_t parameters = 0;  // of a row of parts
  int32_t lowest;  // the layer where the backward pass ends
  int32_t weights_at[max_layers], biases_at[max_layers];  // in a row of parts; -1: not wanted
  bool wants_dx;

  Descent(const Layers<float>& f, const LayerGradients<float>& to, bool wants_dx_, Targets& targets)
      : lowest(f.layers), wants_dx(wants_dx_) {
    const auto take = [&](float* gradient, int64_t count) {
      if (!gradient) return int32_t{-1};
      const int64_t first = parameters;
      targets.target[targets.count++] = {gradient, first, count};
      parameters += count;
      return static_cast<int32_t>(first);
    };
    for (int32_t l = f.layers - 1; l >= 0; --l) {
      weights_at[l] = take(to.dweight[l], f.outputs(l) * f.inputs(l));
      biases_at[l] = take(to.dbias[l], f.outputs(l));
      if (to.dweight[l] || to.dbias[l] || (l == 0 && wants_dx)) lowest = l;
    }
  }
};

// Once, before the first tile: products look so far behind the last panel.
template <class Shape>
UPS_ON_DEVICE void clear_behind_panels(const PanelLayers& f, float* panels) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < Shape::columns) panels[f.floats - Shape::columns + thread] = 0.0f;
}

// From dz of the last layer, which lies in the place of its values, 0 in no row, to the gradients
// of the parameters, add(place in a row of parts, sum), and store_dx(row, column, sum). Comes after
// apply_layers and a barrier.
template <class Shape, int precision, class Add, class StoreDx>
UPS_ON_DEVICE void descend(const PanelLayers& f, const Descent& d, int rows, float* panels,
                           PanelMemory<Shape, precision>& memory, Add add, StoreDx store_dx) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int l = f.layers - 1; l >= d.lowest; --l) {
    const int inputs = f.layer[l].inputs, outputs = f.layer[l].outputs;
    const int stride = stride_of_width<precision>(inputs), dz_stride = stride_of_width<precision>(outputs);
    const float* const dz = panels + f.panel[l + 1];
    float* const below = panels + f.panel[l];
    if (d.weights_at[l] >= 0)
      multiply_transposed<Shape, precision>(dz, dz_stride, outputs, below, stride, inputs, memory,
                                            [&](int out, int in, float sum) {
                                              if (out < outputs && in < inputs)
                                                add(d.weights_at[l] + int64_t{out} * inputs + in, sum);
                                            });
    if (d.biases_at[l] >= 0)
      for (int c = thread; c < outputs; c += Shape::threads) {
        float sum = 0.0f;
        for (int row = 0; row < rows; ++row) sum += dz[row * dz_stride + c];
        add(d.biases_at[l] + c, sum);
      }
    if (l == d.lowest && (l > 0 || !d.wants_dx)) break;
    const Operand weight[1] = {f.layer[l].transposed};
    const float* const slopes = panels + f.sums[l];
    const int32_t activation = l > 0 ? f.layer[l - 1].activation : UPS_ACTIVATION_NONE;
    multiply_panel<Shape, precision, Layout::across>(
        dz, dz_stride, weight, outputs, memory, [&](int row, int64_t column, float sum) {
          if (row >= rows || column >= inputs) return;
          if (l == 0) store_dx(row, column, sum);
          else below[row * stride + column] = sum * activation_slope_at(slopes[row * stride + column], activation);
        });
    __syncthreads();
  }
}

// Threads share the chunks, and their sums are added up in order.
constexpr int chunk_slots = 8;
template <int slots>
UPS_KERNEL_LB(32 * slots)
add_chunks(const int32_t* fault, const float* parts, int64_t chunks, int64_t parameters, Targets targets) {
  if (*fault != 0) return;
  UPS_SHARED(float, sums, [slots][32]);
  const int lane = static_cast<int>(threadIdx.x) % 32, slot = static_cast<int>(threadIdx.x) / 32;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * 32 + lane;
  float sum = 0.0f;
  for (int64_t chunk = slot; i < parameters && chunk < chunks; chunk += slots) sum += parts[chunk * parameters + i];
  sums[slot][lane] = sum;
  __syncthreads();
  if (slot != 0) return;
  for (int other = 1; other < slots; ++other) sum += sums[other][lane];
  for (int32_t t = 0; t < targets.count; ++t) {
    const Target& target = targets.target[t];
    if (i >= target.first && i < target.first + target.count) target.to[i - target.first] = sum;
  }
}

inline void add_parts(Launcher& launch, const float* parts, int64_t chunks, int64_t parameters,
                      const Targets& targets) {
  launch.grid(add_chunks<chunk_slots>, ceil_div(parameters, 32), 1, 32 * chunk_slots, 0, parts, chunks, parameters,
              targets);
}

// Chunks: enough to fill a device, at most 32 MiB of parts, and no part for a single tile.
struct Chunks {
  int64_t parameters = 0, tiles, tiles_per_chunk, count;

  Chunks(const Layers<float>& f, int64_t tiles_) : tiles(tiles_) {
    constexpr int64_t most = 256, max_floats = int64_t{8} << 20, min_tiles = 2;
    for (int32_t l = 0; l < f.layers; ++l) parameters += f.outputs(l) * (f.inputs(l) + 1);
    const int64_t chunks = std::clamp<int64_t>(max_floats / std::max<int64_t>(parameters, 1), 1, most);
    tiles_per_chunk = std::max(min_tiles, ceil_div(tiles, chunks));
    count = ceil_div(tiles, tiles_per_chunk);
  }
};

}  // namespace
}  // namespace upsilon
