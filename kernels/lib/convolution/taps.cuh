// Which taps reach the places of a result, towards the coarse grid or by phases of the fine one.
#pragma once
#include "lib/convolution/device.h"

namespace upsilon {
namespace {

UPS_ON_DEVICE int64_t round_down_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

UPS_ON_DEVICE int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// Along one axis, for the result places of one phase: which taps reach them, and where these look.
struct AxisTaps {
  int64_t first, step, count;  // taps first, first + step, ...
  int64_t source_step, base, tap_shift;  // the source's place is source_step q + base + tap_shift * (number of the tap)
};

UPS_ON_DEVICE AxisTaps taps_of(const ConvolutionAxis& axis, bool coarse, int64_t phase) {
  if (coarse) return {0, 1, axis.kernel, axis.stride, -axis.padding, axis.dilation};
  const int64_t period = axis.stride / greatest_common_divisor(axis.stride, axis.dilation);
  const auto residue = [&](int64_t k) {
    const int64_t at = k * axis.dilation - axis.padding;
    return at - round_down_div(at, axis.stride) * axis.stride;
  };
  int64_t first = 0;
  const int64_t end = ups::min(period, axis.kernel);
  while (first < end && residue(first) != phase) ++first;
  const int64_t count = first < end ? (axis.kernel - first + period - 1) / period : 0;
  return {first,
          period,
          count,
          1,
          -round_down_div(first * axis.dilation - axis.padding, axis.stride),
          -(period * axis.dilation / axis.stride)};
}

}  // namespace
}  // namespace upsilon
