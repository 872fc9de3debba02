// CUDA: forward takes 64 rows through all layers in shared memory, in one launch; the hidden values
// go to global memory only where a layer is too wide for that. Backward computes the hidden values
// once more and goes through the layers from the last to the first. Floor: 2 rows (sum of K M)
// FLOP, or x and y once through memory.
#include "mlp/mlp.h"

#include "lib/dense/dense.h"
#include "lib/dense/panel.cuh"
#include "mlp/mlp_call.h"

namespace upsilon {
namespace {

constexpr int64_t max_two_panel_bytes = 136 * 1024;  // a block of its own on a multiprocessor, at layers of 256

struct Layer {
  Operand weight;
  const float* bias;
  int64_t inputs, outputs;
  int32_t activation;
};

struct Layers {
  const float* x;
  float* y;
  int64_t rows;
  int32_t count;
  Layer layer[UPS_MLP_MAX_LAYERS];
  int64_t second_panel;  // floats before it
};

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
apply_layers(const int32_t* fault, Layers layers) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED_DYN(float, panels);
  const int64_t first_row = static_cast<int64_t>(blockIdx.x) * Shape::rows;
  const int64_t inputs = layers.layer[0].inputs, padded = padded_depth<Shape>(inputs);
  float* panel = panels;
  for (int64_t i = threadIdx.x; i < Shape::rows * padded; i += Shape::threads) {
    const int64_t row = i / padded, c = i % padded;
    const bool inside = first_row + row < layers.rows && c < inputs;
    panel[row * panel_stride<precision>(padded) + c] = inside ? layers.x[(first_row + row) * inputs + c] : 0.0f;
  }
  for (int l = 0; l < layers.count; ++l) {
    const Operand weight[1] = {layers.layer[l].weight};
    const float* const bias = layers.layer[l].bias;
    const int64_t outputs = layers.layer[l].outputs, padded_outputs = padded_depth<Shape>(outputs);
    const int64_t next_stride = panel_stride<precision>(padded_outputs);
    const int32_t activation = layers.layer[l].activation;
    const bool last = l + 1 == layers.count;
    float* const next = panels + (l % 2 == 0 ? layers.second_panel : 0);
    multiply_panel<Shape, precision>(
        panel, static_cast<int>(panel_stride<precision>(padded_depth<Shape>(layers.layer[l].inputs))), weight,
        layers.layer[l].inputs, memory[0], [&](int row, int64_t column, float sum) {
          const bool inside = column < outputs;
          const float h = inside ? activate_value(bias ? sum + bias[column] : sum, activation) : 0.0f;
          if (!last) {
            if (column < padded_outputs) next[row * next_stride + column] = h;
          } else if (inside && first_row + row < layers.rows) {
            layers.y[(first_row + row) * outputs + column] = h;
          }
        });
    panel = next;
  }
}

// Inputs of layers 0 and 2 share the first panel, those of 1 and 3 the second.
template <class Mlp>
int64_t bytes_of_panel(const Mlp& f, int32_t first_layer) {
  int64_t widest = 0;
  for (int32_t l = first_layer; l < f.layers; l += 2) widest = std::max(widest, f.inputs(l));
  return first_layer < f.layers ? panel_bytes(padded_depth<PanelTile>(widest)) : 0;
}

template <class Mlp>
bool fits_panels(const Mlp& f) {
  return bytes_of_panel(f, 0) + bytes_of_panel(f, 1) <= max_two_panel_bytes;
}

// Values behind the hidden layers, one after the other: hidden[l] is the input of layer l + 1.
struct Hidden {
  float* values[UPS_MLP_MAX_LAYERS] = {};
  template <class Mlp>
  Hidden(const Mlp& f, int32_t layers, WorkspaceLayout& workspace) {
    for (int32_t l = 0; l < layers; ++l) values[l] = workspace.reserve<float>(f.rows * f.outputs(l));
  }
};

template <class Mlp>
void layer_by_layer(Launcher& launch, int32_t precision, const Mlp& f, int32_t layers, const Hidden& hidden, float* y) {
  const float* x = f.x;
  for (int32_t l = 0; l < layers; ++l) {
    float* const h = hidden.values[l] ? hidden.values[l] : y;
    product_with_weight(launch, precision, x, f.weight[l], f.bias[l], h, f.rows, f.inputs(l), f.outputs(l),
                        f.activation[l]);
    x = h;
  }
}

struct ForwardHidden : Hidden {
  ForwardHidden(const MlpForward<float>& f, WorkspaceLayout& workspace) : Hidden(f, f.layers - 1, workspace) {}
  static bool needed(const MlpForward<float>& f) { return !fits_panels(f); }
};

ups_status forward(const Call& call) {
  const MlpForward<float> f(call);
  Launcher launch(call);
  if (!fits_panels(f)) {
    layer_by_layer(launch, call.precision, f, f.layers, scratch_of<ForwardHidden>(call, f), f.y);
    return launch.status();
  }
  const int64_t first_bytes = bytes_of_panel(f, 0);
  Layers layers{f.x, f.y, f.rows, f.layers, {}, first_bytes / static_cast<int64_t>(sizeof(float))};
  for (int32_t l = 0; l < f.layers; ++l)
    layers.layer[l] = {operand(f.weight[l], f.inputs(l), f.outputs(l), f.inputs(l)), f.bias[l], f.inputs(l),
                       f.outputs(l), f.activation[l]};
  const auto kernel = call.precision == UPS_BF16   ? apply_layers<PanelTile, UPS_BF16>
                      : call.precision == UPS_TF32 ? apply_layers<PanelTile, UPS_TF32>
                                                   : apply_layers<PanelTile, UPS_FP32>;
  launch.grid(kernel, ceil_div(f.rows, PanelTile::rows), 1, PanelTile::threads,
              static_cast<size_t>(first_bytes + bytes_of_panel(f, 1)), layers);
  return launch.status();
}

struct BackwardScratch {
  Hidden hidden;  // the last one is y
  float* gradient[2];
  DenseScratch dense;
  BackwardScratch(const MlpBackward<float>& f, WorkspaceLayout& workspace) : hidden(f, f.layers, workspace) {
    int64_t parts = 0;
    for (int32_t l = 0; l < f.layers; ++l)
      parts = std::max(
          {parts, transposed_product_floats(f.rows, f.outputs(l), f.inputs(l)), slope_floats(f.rows, f.outputs(l))});
    for (float*& g : gradient) g = workspace.reserve<float>(f.rows * f.widest_layer());
    dense.dz = workspace.reserve<float>(f.rows * f.widest_layer());
    dense.parts = workspace.reserve<float>(parts);
  }
};

ups_status backward(const Call& call) {
  const MlpBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  layer_by_layer(launch, call.precision, f, f.layers, scratch.hidden, nullptr);
  const float* dy = f.dy;
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    DenseScratch dense = scratch.dense;
    if (f.activation[l] == UPS_ACTIVATION_NONE) dense.dz = nullptr;  // dy serves
    float* const dx = l == 0 ? f.dx : scratch.gradient[l % 2];
    dense_backward(launch, call.precision,
                   {f.rows, f.inputs(l), f.outputs(l), l == 0 ? f.x : scratch.hidden.values[l - 1], f.weight[l],
                    f.bias[l], scratch.hidden.values[l], dy, dx, f.dweight[l], f.dbias[l], f.activation[l]},
                   dense);
    dy = dx;
  }
  return launch.status();
}

UPS_CUDA_VARIANT(forward, MlpForwardCall, forward, workspace_of<MlpForward<float>, ForwardHidden>)
UPS_CUDA_VARIANT(backward, MlpBackwardCall, backward, workspace_of<MlpBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
