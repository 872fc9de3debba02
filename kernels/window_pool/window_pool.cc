// Reference: the definition, in plain loops.
#include "window_pool/window_pool.h"

#include "lib/kernel.h"
#include "window_pool/window_pool_call.h"

namespace upsilon {
namespace {

// Calls tap(place in x, whether it lies in x) for every tap of a window that lies in x or its
// padding.
template <class Tap>
void each_tap(const WindowPool& f, const int64_t (&window)[3], Tap&& tap) {
  const auto& [d, h, w] = f.axes;
  const auto place = [](const ConvolutionAxis& axis, int64_t j, int64_t k) {
    return j * axis.stride - axis.padding + k * axis.dilation;
  };
  for (int64_t kd = 0; kd < d.kernel; ++kd)
    for (int64_t kh = 0; kh < h.kernel; ++kh)
      for (int64_t kw = 0; kw < w.kernel; ++kw) {
        const int64_t at[] = {place(d, window[0], kd), place(h, window[1], kh), place(w, window[2], kw)};
        bool inside = true, padded = true;
        for (int a = 0; a < 3; ++a) {
          inside = inside && at[a] >= 0 && at[a] < f.axes[a].fine;
          padded = padded && at[a] < f.axes[a].fine + f.axes[a].padding;
        }
        if (padded) tap((at[0] * h.fine + at[1]) * w.fine + at[2], inside);
      }
}

template <class T>
struct Window {
  T sum = T(0);
  int64_t counted = 0, extreme = -1;

  Window(const WindowPool& f, const T* x, const int64_t (&window)[3]) {
    each_tap(f, window, [&](int64_t place, bool inside) {
      counted += inside || f.count_padding;
      if (!inside) return;
      sum += x[place];
      if (extreme < 0 || is_beyond(x[place], x[extreme], f.pool)) extreme = place;
    });
  }
};

template <class Body>
void each_window(const WindowPool& f, Body&& body) {
  const auto& [d, h, w] = f.axes;
  for (int64_t image = 0; image < f.images; ++image)
    for (int64_t jd = 0; jd < d.coarse; ++jd)
      for (int64_t jh = 0; jh < h.coarse; ++jh)
        for (int64_t jw = 0; jw < w.coarse; ++jw)
          body(image, ((image * d.coarse + jd) * h.coarse + jh) * w.coarse + jw, {jd, jh, jw});
}

template <class T>
ups_status forward_reference(const Call& call) {
  const WindowPoolForward<T> f(call);
  each_window(f, [&](int64_t image, int64_t y, const int64_t (&window)[3]) {
    const T* x = f.x + image * f.fine_places();
    const Window<T> found(f, x, window);
    if (f.is_extreme()) f.y[y] = found.extreme < 0 ? T(0) : x[found.extreme];
    else if (f.pool == UPS_POOL_MEAN) f.y[y] = found.counted == 0 ? T(0) : found.sum / static_cast<T>(found.counted);
    else f.y[y] = found.sum;
  });
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const WindowPoolBackward<T> f(call);
  clear(f.dx, f.images * f.fine_places());
  each_window(f, [&](int64_t image, int64_t y, const int64_t (&window)[3]) {
    T* dx = f.dx + image * f.fine_places();
    const Window<T> found(f, f.x + image * f.fine_places(), window);
    if (f.is_extreme()) {
      if (found.extreme >= 0) dx[found.extreme] += f.dy[y];
      return;
    }
    const T share = f.pool == UPS_POOL_MEAN ? f.dy[y] / static_cast<T>(found.counted) : f.dy[y];
    each_tap(f, window, [&](int64_t place, bool inside) {
      if (inside) dx[place] += share;
    });
  });
  return UPS_OK;
}

const OperationOf<WindowPoolForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<WindowPoolBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_window_pool_forward(ups_context* context, const ups_tensor* x, ups_tensor* y,
                                   const ups_window_pool_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, y}, options);
}

ups_status ups_window_pool_backward(ups_context* context, const ups_tensor* x, const ups_tensor* dy, ups_tensor* dx,
                                    const ups_window_pool_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, dy, dx}, options);
}
