// Dense layers in a row, as mlp and deep_set take them: the layers of a checked call, as plain
// numbers and pointers.
#pragma once
#include "core/named_call.h"

namespace upsilon {

inline constexpr int32_t max_layers = 4;  // of one call

// Layer l turns widths[l] features into widths[l + 1].
template <class T>
struct Layers {
  int32_t layers = 0;
  int64_t widths[max_layers + 1] = {};
  const T *weight[max_layers] = {}, *bias[max_layers] = {};
  int32_t activation[max_layers] = {};

  Layers() = default;
  Layers(int64_t inputs, const DimensionList& outputs, const ArgumentList& weights, const ArgumentList& biases,
         const int32_t* activations) {
    widths[0] = inputs;
    for (int32_t l = 0; l < max_layers; ++l) {
      widths[l + 1] = outputs[l];
      weight[l] = weights[l];
      bias[l] = biases[l];
      activation[l] = activations[l];
      if (weights.given(l)) layers = l + 1;
    }
  }
  // Of a call whose layers are called weight0, bias0, weight1 ... and have M0, M1 ... outputs.
  template <NamedCall Named>
  Layers(const Named& call, int64_t inputs)
      : Layers(inputs, call.dims("M#"), call.list("weight#"), call.list("bias#"), call.options().activation) {}
  int64_t inputs(int32_t l) const { return widths[l]; }
  int64_t outputs(int32_t l) const { return widths[l + 1]; }
  int64_t last_width() const { return widths[layers]; }
  int64_t widest_layer() const {
    int64_t widest = 0;
    for (int32_t l = 0; l < layers; ++l) widest = outputs(l) > widest ? outputs(l) : widest;
    return widest;
  }
};

// Null for gradients that are not computed.
template <class T>
struct LayerGradients {
  T *dweight[max_layers] = {}, *dbias[max_layers] = {};

  LayerGradients() = default;
  LayerGradients(const ArgumentList& dweights, const ArgumentList& dbiases) {
    for (int32_t l = 0; l < max_layers; ++l) {
      dweight[l] = dweights[l];
      dbias[l] = dbiases[l];
    }
  }
  template <NamedCall Named>
  explicit LayerGradients(const Named& call) : LayerGradients(call.list("dweight#"), call.list("dbias#")) {}
};

// Layers without gaps, and nothing else about a layer that has no weight.
}  // namespace upsilon
