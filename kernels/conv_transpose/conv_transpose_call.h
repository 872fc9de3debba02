// A checked call of conv_transpose, as plain numbers and pointers. The dimensions come as N G C D H W O KD KH KW YD YH YW.
#pragma once
#include "common/convolution.h"
#include "conv_transpose/conv_transpose.h"
#include "core/operation.h"

namespace upsilon {

inline Convolution conv_transpose_shape(const Call& call) {
  const int64_t* dims = call.dims;
  Convolution shape{dims[0], dims[1], dims[6], dims[2], {}};
  set_axes(shape, dims + 10, dims + 3, dims + 7, call.option<ups_conv_transpose_options>());
  return shape;
}

template <class T>
struct ConvTransposeForward {
  Convolution shape;
  const T *x, *weight, *bias;
  T* y;
  double* moments;
  int32_t activation;

  explicit ConvTransposeForward(const Call& call)
      : shape(conv_transpose_shape(call)), x(call.data<const T>(0)), weight(call.data<const T>(1)),
        bias(call.data<const T>(2)), y(call.data<T>(3)), moments(call.data<double>(4)),
        activation(call.option<ups_conv_transpose_options>().activation) {}
};

template <class T>
struct ConvTransposeBackward {
  Convolution shape;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  int32_t activation;

  explicit ConvTransposeBackward(const Call& call)
      : shape(conv_transpose_shape(call)), x(call.data<const T>(0)), weight(call.data<const T>(1)),
        bias(call.data<const T>(2)), y(call.data<const T>(3)), dy(call.data<const T>(4)), dx(call.data<T>(5)),
        dweight(call.data<T>(6)), dbias(call.data<T>(7)),
        activation(call.option<ups_conv_transpose_options>().activation) {}
};

}  // namespace upsilon
