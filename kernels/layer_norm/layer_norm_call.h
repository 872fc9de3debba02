// A checked call of layer_norm, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "layer_norm/layer_norm.h"

namespace upsilon {

inline constexpr OperationLine layer_norm_forward_line{"layer_norm_forward", UPS_LAYER_NORM_FORWARD_SCHEMA};
using LayerNormForwardCall = CallOf<layer_norm_forward_line, ups_layer_norm_options>;
inline constexpr OperationLine layer_norm_backward_line{"layer_norm_backward", UPS_LAYER_NORM_BACKWARD_SCHEMA};
using LayerNormBackwardCall = CallOf<layer_norm_backward_line, ups_layer_norm_options>;

template <class T>
struct LayerNormForward {
  int64_t rows, features;
  const T *x, *weight, *bias;
  const double* moments;
  T* y;
  float eps;
  int32_t activation;

  explicit LayerNormForward(const LayerNormForwardCall& call)
      : rows(call.dim("...")), features(call.dim("F")), x(call["x"]), weight(call["weight"]), bias(call["bias"]),
        moments(call["moments"]), y(call["y"]), eps(call.options().eps), activation(call.options().activation) {}
};

template <class T>
struct LayerNormBackward {
  int64_t rows, features;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  float eps;
  int32_t activation;

  explicit LayerNormBackward(const LayerNormBackwardCall& call)
      : rows(call.dim("...")), features(call.dim("F")), x(call["x"]), weight(call["weight"]), bias(call["bias"]),
        y(call["y"]), dy(call["dy"]), dx(call["dx"]), dweight(call["dweight"]), dbias(call["dbias"]),
        eps(call.options().eps), activation(call.options().activation) {}
};

}  // namespace upsilon
