// The numbers of a convolution, which are the same in both directions: it relates a fine grid (x of conv, y of
// conv_transpose) to a coarse one (y of conv, x of conv_transpose). Along every axis the coarse place j and the kernel's
// tap k meet the fine place
//
//   i = j stride - padding + k dilation
//
// and what lies outside the fine grid counts as 0. Both weights are [groups, coarse channels, fine channels, kernel].
#pragma once
#include <cstdint>

namespace upsilon {

struct ConvolutionAxis {
  int64_t fine, coarse, kernel, stride, padding, dilation;
};

struct Convolution {
  int64_t samples, groups, fine_channels, coarse_channels;  // channels of one group
  ConvolutionAxis axes[3];  // depth, height, width

  int64_t fine_places() const { return axes[0].fine * axes[1].fine * axes[2].fine; }
  int64_t coarse_places() const { return axes[0].coarse * axes[1].coarse * axes[2].coarse; }
  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  int64_t fine_count() const { return samples * groups * fine_channels * fine_places(); }
  int64_t coarse_count() const { return samples * groups * coarse_channels * coarse_places(); }
  int64_t weight_count() const { return groups * coarse_channels * fine_channels * taps(); }
};

// The grid that a result lies on.
enum class Towards { coarse, fine };

// The axes of a call: `fine` and `coarse` are the places of its dimensions D, H, W in call.dims.
template <class Options>
void set_axes(Convolution& shape, const int64_t* fine, const int64_t* coarse, const int64_t* kernel,
              const Options& options) {
  const int32_t stride[] = {options.stride_d, options.stride_h, options.stride_w};
  const int32_t padding[] = {options.padding_d, options.padding_h, options.padding_w};
  const int32_t dilation[] = {options.dilation_d, options.dilation_h, options.dilation_w};
  for (int axis = 0; axis < 3; ++axis)
    shape.axes[axis] = {fine[axis], coarse[axis], kernel[axis], stride[axis], padding[axis], dilation[axis]};
}

}  // namespace upsilon
