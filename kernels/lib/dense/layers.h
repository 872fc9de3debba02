// Dense layers in a row, as mlp and deep_set take them: the layers of a checked call, as plain numbers and pointers.
#pragma once
#include "core/operation.h"

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
  // weight0, bias0, weight1... are the arguments from `first` on, M0, M1... the dimensions from `first_dim` on.
  Layers(const Call& call, int64_t inputs, int first, int first_dim, const int32_t* activations) {
    widths[0] = inputs;
    for (int32_t l = 0; l < max_layers; ++l) {
      widths[l + 1] = call.dims[first_dim + l];
      weight[l] = call.data<const T>(first + 2 * l);
      bias[l] = call.data<const T>(first + 1 + 2 * l);
      activation[l] = activations[l];
      if (call.given(first + 2 * l)) layers = l + 1;
    }
  }
  int64_t inputs(int32_t l) const { return widths[l]; }
  int64_t outputs(int32_t l) const { return widths[l + 1]; }
  int64_t last_width() const { return widths[layers]; }
  int64_t widest_layer() const {
    int64_t widest = 0;
    for (int32_t l = 0; l < layers; ++l) widest = outputs(l) > widest ? outputs(l) : widest;
    return widest;
  }
};

// dweight0, dbias0, dweight1... are the arguments from `first` on; null where not wanted.
template <class T>
struct LayerGradients {
  T *dweight[max_layers] = {}, *dbias[max_layers] = {};

  LayerGradients() = default;
  LayerGradients(const Call& call, int first) {
    for (int32_t l = 0; l < max_layers; ++l) {
      dweight[l] = call.data<T>(first + 2 * l);
      dbias[l] = call.data<T>(first + 1 + 2 * l);
    }
  }
};

// Among the arguments of a call: weight0, bias0, weight1... from `to` on. A list may be missing altogether.
inline void put_layers(const ups_tensor* const* weights, const ups_tensor* const* biases, const ups_tensor** to) {
  for (int32_t l = 0; l < max_layers; ++l) {
    to[2 * l] = weights ? weights[l] : nullptr;
    to[2 * l + 1] = biases ? biases[l] : nullptr;
  }
}

// Layers without gaps, and nothing else about a layer that has no weight.
inline bool layers_are_whole(const Call& call, int first) {
  for (int32_t l = 1; l < max_layers; ++l)
    if (!call.given(first + 2 * l - 2) && call.given(first + 2 * l)) return false;
  for (int32_t l = 0; l < max_layers; ++l)
    if (!call.given(first + 2 * l) && call.given(first + 1 + 2 * l)) return false;
  return true;
}
inline bool gradients_have_layers(const Call& call, int first, int first_gradient) {
  for (int32_t l = 0; l < max_layers; ++l)
    if (!call.given(first + 2 * l) && (call.given(first_gradient + 2 * l) || call.given(first_gradient + 1 + 2 * l)))
      return false;
  return true;
}

}  // namespace upsilon
