// A checked call of conv or conv_transpose, as plain numbers and pointers: y of conv lies on the
// coarse grid, y of conv_transpose on the fine one; everything else is the same.
#pragma once
#include <utility>

#include "lib/convolution/geometry.h"
#include "core/named_call.h"

namespace upsilon {

template <Towards to_y, class Named>
Convolution convolution_shape(const Named& call) {
  const auto& options = call.options();
  const int64_t x[] = {call.dim("D"), call.dim("H"), call.dim("W")};
  const int64_t y[] = {call.dim("YD"), call.dim("YH"), call.dim("YW")};
  const int64_t kernel[] = {call.dim("KD"), call.dim("KH"), call.dim("KW")};
  const int64_t *fine = x, *coarse = y;
  Convolution shape{call.dim("N"), call.dim("G"), call.dim("C"), call.dim("O"), {}};
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

template <class T, class Named, Towards to_y>
struct ConvolutionForward {
  static constexpr Towards y_grid = to_y;
  Convolution shape;
  const T *x, *weight, *bias;
  T* y;
  double* moments;
  int32_t activation;

  explicit ConvolutionForward(const Named& call)
      : shape(convolution_shape<to_y>(call)), x(call["x"]), weight(call["weight"]), bias(call["bias"]), y(call["y"]),
        moments(call["moments"]), activation(call.options().activation) {}
};

template <class T, class Named, Towards to_y>
struct ConvolutionBackward {
  static constexpr Towards y_grid = to_y, x_grid = opposite(to_y);
  Convolution shape;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  int32_t activation;

  explicit ConvolutionBackward(const Named& call)
      : shape(convolution_shape<to_y>(call)), x(call["x"]), weight(call["weight"]), bias(call["bias"]), y(call["y"]),
        dy(call["dy"]), dx(call["dx"]), dweight(call["dweight"]), dbias(call["dbias"]),
        activation(call.options().activation) {}

  // The factors of the weight's gradient, by their grids.
  const T* fine(const T* dz) const { return to_y == Towards::fine ? dz : x; }
  const T* coarse(const T* dz) const { return to_y == Towards::fine ? x : dz; }
};

}  // namespace upsilon
