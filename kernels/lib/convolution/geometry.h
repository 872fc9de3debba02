// The numbers of a convolution, which are the same in both directions: it relates a fine grid (x of
// conv, y of conv_transpose) to a coarse one (y of conv, x of conv_transpose). Along every axis the
// coarse place j and the kernel's tap k meet the fine place
//
//   i = j stride - padding + k dilation
//
// and what lies outside the fine grid counts as 0. Both weights are [groups, coarse channels, fine
// channels, kernel].
#pragma once
#include <cstdint>

namespace upsilon {

struct ConvolutionAxis {
  int64_t fine, coarse, kernel, stride, padding, dilation;
};

// The grid that a result lies on.
enum class Towards { coarse, fine };
constexpr Towards opposite(Towards grid) { return grid == Towards::coarse ? Towards::fine : Towards::coarse; }

struct Convolution {
  int64_t samples, groups, fine_channels, coarse_channels;  // channels of one group
  ConvolutionAxis axes[3];  // depth, height, width

  int64_t fine_places() const { return axes[0].fine * axes[1].fine * axes[2].fine; }
  int64_t coarse_places() const { return axes[0].coarse * axes[1].coarse * axes[2].coarse; }
  int64_t places(Towards grid) const { return grid == Towards::coarse ? coarse_places() : fine_places(); }
  int64_t all_channels(Towards grid) const {
    return groups * (grid == Towards::coarse ? coarse_channels : fine_channels);
  }
  int64_t count(Towards grid) const { return samples * all_channels(grid) * places(grid); }
  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  int64_t weight_count() const { return groups * coarse_channels * fine_channels * taps(); }
};

}  // namespace upsilon
