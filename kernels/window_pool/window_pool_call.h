// A checked call of window_pool, as plain numbers and pointers. The dimensions come as I D H W YD
// YH YW.
#pragma once
#include "lib/convolution/geometry.h"
#include "core/named_call.h"
#include "window_pool/window_pool.h"

#if !defined(UPS_HD)
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

inline constexpr OperationLine window_pool_forward_line{"window_pool_forward", UPS_WINDOW_POOL_FORWARD_SCHEMA};
using WindowPoolForwardCall = CallOf<window_pool_forward_line, ups_window_pool_options>;
inline constexpr OperationLine window_pool_backward_line{"window_pool_backward", UPS_WINDOW_POOL_BACKWARD_SCHEMA};
using WindowPoolBackwardCall = CallOf<window_pool_backward_line, ups_window_pool_options>;

struct WindowPool {
  int64_t images;
  ConvolutionAxis axes[3];  // depth, height, width: x is the fine grid, y the coarse one
  int32_t pool;
  bool count_padding;

  template <NamedCall Named>
  explicit WindowPool(const Named& call) : images(call.dim("I")) {
    const auto& o = call.options();
    const int64_t fine[] = {call.dim("D"), call.dim("H"), call.dim("W")};
    const int64_t coarse[] = {call.dim("YD"), call.dim("YH"), call.dim("YW")};
    const int32_t kernel[] = {o.kernel_d, o.kernel_h, o.kernel_w}, stride[] = {o.stride_d, o.stride_h, o.stride_w};
    const int32_t padding[] = {o.padding_d, o.padding_h, o.padding_w};
    const int32_t dilation[] = {o.dilation_d, o.dilation_h, o.dilation_w};
    for (int a = 0; a < 3; ++a) axes[a] = {fine[a], coarse[a], kernel[a], stride[a], padding[a], dilation[a]};
    pool = o.pool;
    count_padding = o.count_padding != 0;
  }
  UPS_HD int64_t fine_places() const { return axes[0].fine * axes[1].fine * axes[2].fine; }
  UPS_HD int64_t coarse_places() const { return axes[0].coarse * axes[1].coarse * axes[2].coarse; }
  UPS_HD bool is_extreme() const { return pool == UPS_POOL_MAX || pool == UPS_POOL_MIN; }
};

template <class T>
struct WindowPoolForward : WindowPool {
  const T* x;
  T* y;

  explicit WindowPoolForward(const WindowPoolForwardCall& call) : WindowPool(call), x(call["x"]), y(call["y"]) {}
};

template <class T>
struct WindowPoolBackward : WindowPool {
  const T *x, *dy;
  T* dx;

  explicit WindowPoolBackward(const WindowPoolBackwardCall& call)
      : WindowPool(call), x(call["x"]), dy(call["dy"]), dx(call["dx"]) {}
};

// The taps [first, end) of window j that lie in x, the place of tap 0, and how many count for a
// mean.
struct WindowTaps {
  int64_t start, first, end, counted;

  UPS_HD WindowTaps(const ConvolutionAxis& axis, int64_t j, bool count_padding)
      : start(j * axis.stride - axis.padding), first(start >= 0 ? 0 : taps_within(-start, axis.dilation)),
        end(least(axis.kernel, taps_within(axis.fine - start, axis.dilation))) {
    if (first > end) first = end;
    counted =
        count_padding ? least(axis.kernel, taps_within(axis.fine + axis.padding - start, axis.dilation)) : end - first;
  }

 private:
  UPS_HD static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
  UPS_HD static int64_t taps_within(int64_t places, int64_t dilation) {
    return places <= 0 ? 0 : (places + dilation - 1) / dilation;
  }
};

// Whether `value` takes the place of the extreme so far: beyond it, or the first NaN.
template <class T>
UPS_HD bool is_beyond(T value, T so_far, int32_t pool) {
  if (so_far != so_far) return false;
  return value != value || (pool == UPS_POOL_MAX ? value > so_far : value < so_far);
}

// The place of a window's extreme in the image `x`, -1 where no tap lies in x.
template <class T>
UPS_HD int64_t find_extreme(const WindowPool& f, const T* x, const WindowTaps& d, const WindowTaps& h,
                            const WindowTaps& w) {
  int64_t extreme = -1;
  for (int64_t kd = d.first; kd < d.end; ++kd)
    for (int64_t kh = h.first; kh < h.end; ++kh) {
      const int64_t row =
          ((d.start + kd * f.axes[0].dilation) * f.axes[1].fine + h.start + kh * f.axes[1].dilation) * f.axes[2].fine +
          w.start;
      for (int64_t kw = w.first; kw < w.end; ++kw) {
        const int64_t place = row + kw * f.axes[2].dilation;
        if (extreme < 0 || is_beyond(x[place], x[extreme], f.pool)) extreme = place;
      }
    }
  return extreme;
}

}  // namespace upsilon
