// CUDA: a thread for each result; backward a thread for each number of x, which adds up what its
// windows give it in their order. Floor: memory; neighbouring windows read from the caches.
#include "window_pool/window_pool.h"

#include "lib/cuda/cuda.h"
#include "window_pool/window_pool_call.h"

namespace upsilon {
namespace {

struct Window {
  WindowTaps d, h, w;
  UPS_ON_DEVICE Window(const WindowPool& f, int64_t jd, int64_t jh, int64_t jw)
      : d(f.axes[0], jd, f.count_padding), h(f.axes[1], jh, f.count_padding), w(f.axes[2], jw, f.count_padding) {}
  UPS_ON_DEVICE float counted() const { return static_cast<float>(d.counted * h.counted * w.counted); }
};

UPS_ON_DEVICE float pool_window(const WindowPool& f, const float* x, const Window& window) {
  if (f.is_extreme()) {
    const int64_t extreme = find_extreme(f, x, window.d, window.h, window.w);
    return extreme < 0 ? 0.0f : x[extreme];
  }
  const auto& [d, h, w] = window;
  float sum = 0;
  for (int64_t kd = d.first; kd < d.end; ++kd)
    for (int64_t kh = h.first; kh < h.end; ++kh)
      for (int64_t kw = w.first; kw < w.end; ++kw)
        sum += x[((d.start + kd * f.axes[0].dilation) * f.axes[1].fine + h.start + kh * f.axes[1].dilation) *
                     f.axes[2].fine +
                 w.start + kw * f.axes[2].dilation];
  const bool seen = d.end > d.first && h.end > h.first && w.end > w.first;
  return f.pool == UPS_POOL_MEAN && seen ? sum / window.counted() : sum;
}

template <int threads>
UPS_KERNEL_LB(threads)
pool_windows(const int32_t* fault, WindowPoolForward<float> f) {
  if (*fault != 0) return;
  const int64_t places = f.coarse_places();
  for (int64_t i = global_thread(); i < f.images * places; i += global_threads()) {
    const int64_t place = i % places, jw = place % f.axes[2].coarse, rest = place / f.axes[2].coarse;
    const Window window(f, rest / f.axes[1].coarse, rest % f.axes[1].coarse, jw);
    f.y[i] = pool_window(f, f.x + i / places * f.fine_places(), window);
  }
}

// The windows [first, end) of an axis that may hold a place; of these, holds() says which do.
struct Holders {
  const ConvolutionAxis& axis;
  int64_t place, first, end;

  UPS_ON_DEVICE Holders(const ConvolutionAxis& axis_, int64_t place_) : axis(axis_), place(place_) {
    const int64_t low = place + axis.padding - (axis.kernel - 1) * axis.dilation;
    first = low <= 0 ? 0 : (low + axis.stride - 1) / axis.stride;
    end = (place + axis.padding) / axis.stride + 1;
    if (end > axis.coarse) end = axis.coarse;
  }
  UPS_ON_DEVICE bool holds(int64_t j) const { return (place + axis.padding - j * axis.stride) % axis.dilation == 0; }
};

template <int threads>
UPS_KERNEL_LB(threads)
gather_gradients(const int32_t* fault, WindowPoolBackward<float> f) {
  if (*fault != 0) return;
  const int64_t places = f.fine_places();
  for (int64_t i = global_thread(); i < f.images * places; i += global_threads()) {
    const int64_t image = i / places, place = i % places, rest = place / f.axes[2].fine;
    const Holders d(f.axes[0], rest / f.axes[1].fine), h(f.axes[1], rest % f.axes[1].fine),
        w(f.axes[2], place % f.axes[2].fine);
    const float *x = f.x + image * places, *dy = f.dy + image * f.coarse_places();
    float sum = 0;
    for (int64_t jd = d.first; jd < d.end; ++jd)
      for (int64_t jh = h.first; d.holds(jd) && jh < h.end; ++jh)
        for (int64_t jw = w.first; h.holds(jh) && jw < w.end; ++jw) {
          if (!w.holds(jw)) continue;
          const Window window(f, jd, jh, jw);
          const float of_window = dy[(jd * f.axes[1].coarse + jh) * f.axes[2].coarse + jw];
          if (!f.is_extreme()) sum += f.pool == UPS_POOL_MEAN ? of_window / window.counted() : of_window;
          else if (find_extreme(f, x, window.d, window.h, window.w) == place) sum += of_window;
        }
    f.dx[i] = sum;
  }
}

ups_status forward(const Call& call) {
  const WindowPoolForward<float> f(call);
  Launcher launch(call);
  launch.elements(pool_windows<block_threads>, f.images * f.coarse_places(), f);
  return launch.status();
}

ups_status backward(const Call& call) {
  const WindowPoolBackward<float> f(call);
  Launcher launch(call);
  launch.elements(gather_gradients<block_threads>, f.images * f.fine_places(), f);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, WindowPoolForwardCall, forward)
UPS_CUDA_VARIANT(backward, WindowPoolBackwardCall, backward)

}  // namespace
}  // namespace upsilon
