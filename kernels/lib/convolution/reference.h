// The definition of a convolution: loops over all products of which it is made.
#pragma once
#include "lib/math/activation.h"
#include "lib/convolution/call.h"
#include "lib/kernel.h"

namespace upsilon {

// Calls meet(coarse, fine, weight), three indices of elements, for every product there is.
template <class Meet>
void each_meeting(const Convolution& shape, Meet&& meet) {
  const auto& [d, h, w] = shape.axes;
  const auto inside = [](const ConvolutionAxis& axis, int64_t i) { return i >= 0 && i < axis.fine; };
  const auto at = [](const ConvolutionAxis& axis, int64_t j, int64_t k) {
    return j * axis.stride - axis.padding + k * axis.dilation;
  };
  for (int64_t image = 0; image < shape.samples * shape.groups; ++image)
    for (int64_t to = 0; to < shape.coarse_channels; ++to)
      for (int64_t from = 0; from < shape.fine_channels; ++from) {
        const int64_t coarse = (image * shape.coarse_channels + to) * shape.coarse_places();
        const int64_t fine = (image * shape.fine_channels + from) * shape.fine_places();
        const int64_t weight = ((image % shape.groups * shape.coarse_channels + to) * shape.fine_channels + from);
        for (int64_t kd = 0; kd < d.kernel; ++kd)
          for (int64_t kh = 0; kh < h.kernel; ++kh)
            for (int64_t kw = 0; kw < w.kernel; ++kw)
              for (int64_t jd = 0; jd < d.coarse; ++jd)
                for (int64_t jh = 0; jh < h.coarse && inside(d, at(d, jd, kd)); ++jh)
                  for (int64_t jw = 0; jw < w.coarse && inside(h, at(h, jh, kh)); ++jw)
                    if (inside(w, at(w, jw, kw)))
                      meet(coarse + (jd * h.coarse + jh) * w.coarse + jw,
                           fine + (at(d, jd, kd) * h.fine + at(h, jh, kh)) * w.fine + at(w, jw, kw),
                           ((weight * d.kernel + kd) * h.kernel + kh) * w.kernel + kw);
      }
}

// values[channel, place] = bias of the channel, 0 without one.
template <class T>
void fill_with_bias(T* values, const T* bias, int64_t samples, int64_t channels, int64_t places) {
  for (int64_t row = 0; row < samples * channels; ++row)
    for (int64_t place = 0; place < places; ++place) values[row * places + place] = bias ? bias[row % channels] : T(0);
}

// Mean and variance of every row of places; 0 for empty rows.
template <class T>
void moments_of_channels(const T* values, int64_t rows, int64_t places, double* moments) {
  for (int64_t row = 0; moments && row < rows; ++row) {
    const T* const of_row = values + row * places;
    T mean = 0, variance = 0;
    for (int64_t i = 0; i < places; ++i) mean += of_row[i] / static_cast<T>(places);
    for (int64_t i = 0; i < places; ++i) variance += (of_row[i] - mean) * (of_row[i] - mean) / static_cast<T>(places);
    moments[2 * row] = static_cast<double>(mean);
    moments[2 * row + 1] = static_cast<double>(variance);
  }
}

// Calls meet(x, y, weight), the same from where a call looks.
template <class Call_, class Meet>
void each_product(const Call_& f, Meet&& meet) {
  each_meeting(f.shape, [&](int64_t coarse, int64_t fine, int64_t weight) {
    Call_::y_grid == Towards::coarse ? meet(fine, coarse, weight) : meet(coarse, fine, weight);
  });
}

template <class Forward>
ups_status convolution_forward_reference(const Call& call) {
  const Forward f(call);
  const int64_t channels = f.shape.all_channels(f.y_grid), places = f.shape.places(f.y_grid);
  fill_with_bias(f.y, f.bias, f.shape.samples, channels, places);
  each_product(f, [&](int64_t x, int64_t y, int64_t weight) { f.y[y] += f.x[x] * f.weight[weight]; });
  for (int64_t i = 0; i < f.shape.count(f.y_grid); ++i) f.y[i] = activate(f.y[i], f.activation);
  moments_of_channels(f.y, f.shape.samples * channels, places, f.moments);
  return UPS_OK;
}

template <class T>
struct ConvolutionSlopes {
  T* dz;  // dy act'
  template <class Backward>
  ConvolutionSlopes(const Backward& f, WorkspaceLayout& workspace)
      : dz(workspace.reserve<T>(f.shape.count(f.y_grid))) {}
};

template <class Backward>
ups_status convolution_backward_reference(const Call& call) {
  const Backward f(call);
  const int64_t channels = f.shape.all_channels(f.y_grid), places = f.shape.places(f.y_grid);
  const int64_t count = f.shape.count(f.y_grid);
  using T = std::remove_pointer_t<decltype(f.dx)>;
  T* const dz = scratch_of<ConvolutionSlopes<T>>(call, f).dz;
  fill_with_bias(dz, f.bias, f.shape.samples, channels, places);
  if (f.activation == UPS_ACTIVATION_GELU)
    each_product(f, [&](int64_t x, int64_t y, int64_t weight) { dz[y] += f.x[x] * f.weight[weight]; });
  for (int64_t i = 0; i < count; ++i) dz[i] = f.dy[i] * activation_slope(dz[i], f.y[i], f.activation);
  clear(f.dx, f.shape.count(f.x_grid));
  clear(f.dweight, f.shape.weight_count());
  clear(f.dbias, channels);
  each_product(f, [&](int64_t x, int64_t y, int64_t weight) {
    if (f.dx) f.dx[x] += dz[y] * f.weight[weight];
    if (f.dweight) f.dweight[weight] += dz[y] * f.x[x];
  });
  for (int64_t i = 0; f.dbias && i < count; ++i) f.dbias[i / places % channels] += dz[i];
  return UPS_OK;
}

}  // namespace upsilon
