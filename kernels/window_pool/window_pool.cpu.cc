// SIMD: a row of results at a time, tap by tap over lanes of neighbouring windows where the stride
// is 1 or 2; or, where a row has one window (global pooling), over lanes along the window. Floor:
// memory, x read and y written once.
#include "window_pool/window_pool.h"
#include "window_pool/window_pool_call.h"

#define UPS_SIMD_SOURCE "window_pool/window_pool.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/each_item.simd.h"

UPS_SIMD_BEGIN

// The more extreme of two, or NaN if one is.
template <int32_t pool>
Floats more_extreme(Floats so_far, Floats value) {
  const auto beyond = pool == UPS_POOL_MAX ? value > so_far : value < so_far;
  return (beyond | (value != value)) & (so_far == so_far) ? value : so_far;
}

// One kind of pooling, as what happens to a vector of numbers; a mean is a sum that is divided
// afterwards.
template <int32_t pool>
struct Pooling {
  static constexpr bool extreme = pool == UPS_POOL_MAX || pool == UPS_POOL_MIN;
  static constexpr float start = pool == UPS_POOL_MAX ? -HUGE_VALF : pool == UPS_POOL_MIN ? HUGE_VALF : 0.0f;
  static Floats take(Floats so_far, Floats value) {
    if constexpr (extreme) return more_extreme<pool>(so_far, value);
    else return so_far + value;
  }
  static float take(float so_far, float value) {
    if constexpr (extreme) return is_beyond(value, so_far, pool) ? value : so_far;
    else return so_far + value;
  }
};

// The windows [first, end) of a row that tap k meets inside x.
struct Met {
  int64_t first, end;
  Met(const ConvolutionAxis& w, int64_t k) {
    const int64_t place = k * w.dilation - w.padding;  // of window 0
    first = place >= 0 ? 0 : std::min(w.coarse, ceil_div(-place, w.stride));
    end = place >= w.fine ? first : std::clamp(ceil_div(w.fine - place, w.stride), first, w.coarse);
  }
};

// y[j] = take(y[j], x[j stride]) for `count` windows.
template <class P>
void take_row(const float* x, int64_t stride, int64_t count, float* y) {
  if (stride == 1) {
    each_vector(count, [&](int64_t j, int64_t here) {
      store_some(y + j, P::take(load_some(y + j, here), load_some(x + j, here)), here);
    });
    return;
  }
  int64_t j = 0;
#if UPS_LANES > 1
  if (stride == 2)
    for (; j + lanes < count; j += lanes) {  // the last number of the second half belongs to no window here
      Floats even = zero();
      const Floats low = load(x + 2 * j), high = load(x + 2 * j + lanes);
      for (int i = 0; i < lanes / 2; ++i) {
        even[i] = low[2 * i];
        even[lanes / 2 + i] = high[2 * i];
      }
      store(y + j, P::take(load(y + j), even));
    }
#endif
  for (; j < count; ++j) y[j] = P::take(y[j], x[j * stride]);
}

// Lanes along a window of neighbouring numbers, then the lanes by halves.
template <class P>
float take_along(const float* x, int64_t count, float so_far) {
  alignas(64) float parts[lanes];
  Floats all = broadcast(P::start);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) all = P::take(all, load(x + i));
  store(parts, all);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) parts[l] = P::take(parts[l], parts[l + half]);
  so_far = P::take(so_far, parts[0]);
  for (; i < count; ++i) so_far = P::take(so_far, x[i]);
  return so_far;
}

// The row of windows (jd, jh) of an image.
template <int32_t pool>
void pool_row(const WindowPool& f, const float* x, int64_t jd, int64_t jh, float* y) {
  using P = Pooling<pool>;
  const auto& [depth, height, width] = f.axes;
  const WindowTaps d(depth, jd, f.count_padding), h(height, jh, f.count_padding);
  const bool along = width.coarse == 1 && width.dilation == 1;
  std::fill_n(y, width.coarse, P::start);
  for (int64_t kd = d.first; kd < d.end; ++kd)
    for (int64_t kh = h.first; kh < h.end; ++kh) {
      const float* row =
          x + ((d.start + kd * depth.dilation) * height.fine + h.start + kh * height.dilation) * width.fine;
      if (along) {
        const WindowTaps w(width, 0, f.count_padding);
        *y = take_along<P>(row + w.start + w.first, w.end - w.first, *y);
        continue;
      }
      for (int64_t kw = 0; kw < width.kernel; ++kw) {
        const Met met(width, kw);
        take_row<P>(row + met.first * width.stride - width.padding + kw * width.dilation, width.stride,
                    met.end - met.first, y + met.first);
      }
    }
  if (f.pool == UPS_POOL_SUM) return;
  const int64_t seen = (d.end - d.first) * (h.end - h.first);
  for (int64_t jw = 0; jw < width.coarse; ++jw) {
    const WindowTaps w(width, jw, f.count_padding);
    if (seen * (w.end - w.first) == 0) y[jw] = 0;
    else if (f.pool == UPS_POOL_MEAN) y[jw] /= static_cast<float>(d.counted * h.counted * w.counted);
  }
}

// About 16,000 taps a task.
int64_t rows_of_task(const WindowPool& f) {
  const int64_t taps = f.axes[0].kernel * f.axes[1].kernel * f.axes[2].kernel * f.axes[2].coarse;
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(taps, 1));
}

ups_status forward(const Call& call) {
  const WindowPoolForward<float> f(call);
  const int64_t of_image = f.axes[0].coarse * f.axes[1].coarse;
  const auto run = f.pool == UPS_POOL_MAX   ? pool_row<UPS_POOL_MAX>
                   : f.pool == UPS_POOL_MIN ? pool_row<UPS_POOL_MIN>
                                            : pool_row<UPS_POOL_SUM>;
  each_item(*call.threads, f.images * of_image, rows_of_task(f), [&](int64_t row) {
    run(f, f.x + row / of_image * f.fine_places(), row % of_image / f.axes[1].coarse, row % f.axes[1].coarse,
        f.y + row * f.axes[2].coarse);
  });
  return UPS_OK;
}

// dx[j stride] += dy[j]
void spread_row(const float* dy, int64_t stride, int64_t count, float* dx) {
  if (stride == 1)
    each_vector(count, [&](int64_t j, int64_t here) {
      store_some(dx + j, load_some(dx + j, here) + load_some(dy + j, here), here);
    });
  else
    for (int64_t j = 0; j < count; ++j) dx[j * stride] += dy[j];
}

// Of sums and means: `shares` is scratch for a row of results.
void spread_windows(const WindowPool& f, const float* dy, float* dx, float* shares) {
  const auto& [depth, height, width] = f.axes;
  for (int64_t jd = 0; jd < depth.coarse; ++jd)
    for (int64_t jh = 0; jh < height.coarse; ++jh) {
      const WindowTaps d(depth, jd, f.count_padding), h(height, jh, f.count_padding);
      for (int64_t jw = 0; jw < width.coarse; ++jw) {
        const int64_t counted = d.counted * h.counted * WindowTaps(width, jw, f.count_padding).counted;
        shares[jw] = *dy++;
        if (f.pool == UPS_POOL_MEAN) shares[jw] /= static_cast<float>(counted);
      }
      for (int64_t kd = d.first; kd < d.end; ++kd)
        for (int64_t kh = h.first; kh < h.end; ++kh) {
          float* row =
              dx + ((d.start + kd * depth.dilation) * height.fine + h.start + kh * height.dilation) * width.fine;
          if (width.coarse == 1 && width.dilation == 1) {
            const WindowTaps w(width, 0, f.count_padding);
            float* const to = row + w.start + w.first;
            each_vector(w.end - w.first, [&](int64_t i, int64_t here) {
              store_some(to + i, load_some(to + i, here) + broadcast(shares[0]), here);
            });
            continue;
          }
          for (int64_t kw = 0; kw < width.kernel; ++kw) {
            const Met met(width, kw);
            spread_row(shares + met.first, width.stride, met.end - met.first,
                       row + met.first * width.stride - width.padding + kw * width.dilation);
          }
        }
    }
}

void spread_extremes(const WindowPool& f, const float* x, const float* dy, float* dx) {
  const auto& [depth, height, width] = f.axes;
  for (int64_t jd = 0; jd < depth.coarse; ++jd)
    for (int64_t jh = 0; jh < height.coarse; ++jh) {
      const WindowTaps d(depth, jd, false), h(height, jh, false);
      for (int64_t jw = 0; jw < width.coarse; ++jw, ++dy) {
        const int64_t extreme = find_extreme(f, x, d, h, WindowTaps(width, jw, false));
        if (extreme >= 0) dx[extreme] += *dy;
      }
    }
}

struct BackwardScratch {
  int64_t floats;  // of a worker
  float* shares;
  BackwardScratch(const WindowPoolBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : floats(round_up(f.axes[2].coarse, 16)), shares(workspace.reserve<float>(floats * workers)) {}
};

// Windows may overlap: an image is one task, its windows in order.
ups_status backward(const Call& call) {
  const WindowPoolBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  call.threads->run(f.images, [&](int64_t image, int32_t worker) {
    const float *x = f.x + image * f.fine_places(), *dy = f.dy + image * f.coarse_places();
    float* dx = f.dx + image * f.fine_places();
    clear(dx, f.fine_places());
    if (f.is_extreme()) spread_extremes(f, x, dy, dx);
    else spread_windows(f, dy, dx, scratch.shares + worker * scratch.floats);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, WindowPoolForwardCall, forward)
UPS_CPU_VARIANT(backward, WindowPoolBackwardCall, backward, workspace_of<WindowPoolBackward<float>, BackwardScratch>)

UPS_SIMD_END
