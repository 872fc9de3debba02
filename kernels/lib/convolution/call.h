// A checked call of conv or conv_transpose, as plain numbers and pointers: y of conv lies on the coarse grid, y of
// conv_transpose on the fine one, and all else is the same. The dimensions come as N G C D H W O KD KH KW YD YH YW.
#pragma once
#include <utility>

#include "lib/convolution/geometry.h"
#include "core/operation.h"

namespace upsilon {

template <class Options, Towards to_y>
Convolution convolution_shape(const Call& call) {
  const int64_t *dims = call.dims, *fine = dims + 3, *coarse = dims + 10, *kernel = dims + 7;
  const Options& options = call.option<Options>();
  Convolution shape{dims[0], dims[1], dims[2], dims[6], {}};
  if (to_y == Towards::fine) {
    std::swap(shape.fine_channels, shape.coarse_channels);
    std::swap(fine, coarse);
  }
  const int32_t stride[] = {options.stride_d, options.stride_h, options.stride_w};
  const int32_t padding[] = {options.padding_d, options.padding_h, options.padding_w};
  const int32_t dilation[] = {options.dilation_d, options.dilation_h, options.dilation_w};
  for (int axis = 0; axis < 3; ++axis)
    shape.axes[axis] = {fine[axis], coarse[axis], kernel[axis], stride[axis], padding[axis], dilation[axis]};
  return shape;
}

template <class T, class Options, Towards to_y>
struct ConvolutionForward {
  static constexpr Towards y_grid = to_y;
  Convolution shape;
  const T *x, *weight, *bias;
  T* y;
  double* moments;
  int32_t activation;

  explicit ConvolutionForward(const Call& call)
      : shape(convolution_shape<Options, to_y>(call)), x(call.data<const T>(0)), weight(call.data<const T>(1)),
        bias(call.data<const T>(2)), y(call.data<T>(3)), moments(call.data<double>(4)),
        activation(call.option<Options>().activation) {}
};

template <class T, class Options, Towards to_y>
struct ConvolutionBackward {
  static constexpr Towards y_grid = to_y, x_grid = opposite(to_y);
  Convolution shape;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  int32_t activation;

  explicit ConvolutionBackward(const Call& call)
      : shape(convolution_shape<Options, to_y>(call)), x(call.data<const T>(0)), weight(call.data<const T>(1)),
        bias(call.data<const T>(2)), y(call.data<const T>(3)), dy(call.data<const T>(4)), dx(call.data<T>(5)),
        dweight(call.data<T>(6)), dbias(call.data<T>(7)), activation(call.option<Options>().activation) {}

  // The numbers that the weight's gradient is made of, by their grids.
  const T* fine(const T* dz) const { return to_y == Towards::fine ? dz : x; }
  const T* coarse(const T* dz) const { return to_y == Towards::fine ? x : dz; }
};

}  // namespace upsilon
