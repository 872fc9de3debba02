// A checked call of layer_norm, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "layer_norm/layer_norm.h"

namespace upsilon {

template <class T>
struct LayerNormForward {
  int64_t rows, features;
  const T *x, *weight, *bias;
  const double* moments;
  T* y;
  float eps;
  int32_t activation;

  explicit LayerNormForward(const Call& call)
      : rows(call.dims[0]), features(call.dims[1]), x(call.data<const T>(0)), weight(call.data<const T>(1)),
        bias(call.data<const T>(2)), moments(call.data<const double>(3)), y(call.data<T>(4)),
        eps(call.option<ups_layer_norm_options>().eps), activation(call.option<ups_layer_norm_options>().activation) {}
};

template <class T>
struct LayerNormBackward {
  int64_t rows, features;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  float eps;
  int32_t activation;

  explicit LayerNormBackward(const Call& call)
      : rows(call.dims[0]), features(call.dims[1]), x(call.data<const T>(0)), weight(call.data<const T>(1)),
        bias(call.data<const T>(2)), y(call.data<const T>(3)), dy(call.data<const T>(4)), dx(call.data<T>(5)),
        dweight(call.data<T>(6)), dbias(call.data<T>(7)), eps(call.option<ups_layer_norm_options>().eps),
        activation(call.option<ups_layer_norm_options>().activation) {}
};

}  // namespace upsilon
