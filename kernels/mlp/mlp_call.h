// A checked call of mlp, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "mlp/mlp.h"

namespace upsilon {

// What forward and backward have in common. Layer l turns widths[l] features into widths[l + 1].
template <class T>
struct MlpLayers {
  int64_t rows;
  int32_t layers = 0;
  int64_t widths[UPS_MLP_MAX_LAYERS + 1];
  const T *x, *weight[UPS_MLP_MAX_LAYERS], *bias[UPS_MLP_MAX_LAYERS];
  int32_t activation[UPS_MLP_MAX_LAYERS];

  explicit MlpLayers(const Call& call) : rows(call.dims[0]), x(call.data<const T>(0)) {
    widths[0] = call.dims[1];
    for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l) {
      widths[l + 1] = call.dims[2 + l];
      weight[l] = call.data<const T>(1 + 2 * l);
      bias[l] = call.data<const T>(2 + 2 * l);
      activation[l] = call.option<ups_mlp_options>().activation[l];
      if (call.given(1 + 2 * l)) layers = l + 1;
    }
  }
  int64_t inputs(int32_t l) const { return widths[l]; }
  int64_t outputs(int32_t l) const { return widths[l + 1]; }
  int64_t widest_layer() const {
    int64_t widest = 0;
    for (int32_t l = 0; l < layers; ++l) widest = outputs(l) > widest ? outputs(l) : widest;
    return widest;
  }
};

template <class T>
struct MlpForward : MlpLayers<T> {
  T* y;

  explicit MlpForward(const Call& call) : MlpLayers<T>(call), y(call.data<T>(9)) {}
};

template <class T>
struct MlpBackward : MlpLayers<T> {
  const T* dy;
  T *dx, *dweight[UPS_MLP_MAX_LAYERS], *dbias[UPS_MLP_MAX_LAYERS];

  explicit MlpBackward(const Call& call) : MlpLayers<T>(call), dy(call.data<const T>(9)), dx(call.data<T>(10)) {
    for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l) {
      dweight[l] = call.data<T>(11 + 2 * l);
      dbias[l] = call.data<T>(12 + 2 * l);
    }
  }
};

// Layers without gaps, and nothing else about a layer that has no weight.
inline bool mlp_supports(const Call& call) {
  for (int32_t l = 1; l < UPS_MLP_MAX_LAYERS; ++l)
    if (!call.given(1 + 2 * l - 2) && call.given(1 + 2 * l)) return false;
  for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l)
    if (!call.given(1 + 2 * l) && call.given(2 + 2 * l)) return false;
  return true;
}
inline bool mlp_backward_supports(const Call& call) {
  for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l)
    if (!call.given(1 + 2 * l) && (call.given(11 + 2 * l) || call.given(12 + 2 * l))) return false;
  return mlp_supports(call);
}

}  // namespace upsilon
