// The definition of a convolution as a walk over everything that meets.
#pragma once
#include "common/convolution.h"

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

// Mean and variance of every row of places; 0 of none.
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

}  // namespace upsilon
