// A checked call of linear, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "linear/linear.h"

namespace upsilon {

template <class T>
struct LinearForward {
  int64_t rows, inputs, outputs;
  const T *x, *weight, *bias;
  T* y;
  int32_t activation;

  explicit LinearForward(const Call& call)
      : rows(call.dims[0]), inputs(call.dims[1]), outputs(call.dims[2]), x(call.data<const T>(0)),
        weight(call.data<const T>(1)), bias(call.data<const T>(2)), y(call.data<T>(3)),
        activation(call.option<ups_linear_options>().activation) {}
};

template <class T>
struct LinearBackward {
  int64_t rows, inputs, outputs;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  int32_t activation;

  explicit LinearBackward(const Call& call)
      : rows(call.dims[0]), inputs(call.dims[1]), outputs(call.dims[2]), x(call.data<const T>(0)),
        weight(call.data<const T>(1)), bias(call.data<const T>(2)), y(call.data<const T>(3)), dy(call.data<const T>(4)),
        dx(call.data<T>(5)), dweight(call.data<T>(6)), dbias(call.data<T>(7)),
        activation(call.option<ups_linear_options>().activation) {}
};

}  // namespace upsilon
