// A checked call of batch_norm, as plain numbers and pointers.
#pragma once
#include <cmath>
#include <type_traits>

#include "batch_norm/batch_norm.h"
#include "lib/math/moments.h"
#include "core/operation.h"

namespace upsilon {

// What all calls have in common. The arguments from `first` on are weight, bias, mask and residual.
template <class T>
struct BatchNorm {
  int64_t rows, channels, inner;
  const T *x, *weight, *bias, *residual;
  const uint8_t* mask;
  float eps;
  int32_t activation;

  BatchNorm(const Call& call, int first)
      : rows(call.dims[0]), channels(call.dims[1]), inner(call.dims[2]), x(call.data<const T>(0)),
        weight(call.data<const T>(first)), bias(call.data<const T>(first + 1)), residual(call.data<const T>(first + 3)),
        mask(call.data<const uint8_t>(first + 2)), eps(call.option<ups_batch_norm_options>().eps),
        activation(call.option<ups_batch_norm_options>().activation) {}

  UPS_HD bool counts(int64_t row) const { return !mask || mask[row] != 0; }
  int64_t numbers() const { return rows * channels * inner; }
};

template <class T>
struct BatchNormForward : BatchNorm<T> {
  const T *mean, *variance;
  T* y;

  explicit BatchNormForward(const Call& call)
      : BatchNorm<T>(call, 3), mean(call.data<const T>(1)), variance(call.data<const T>(2)), y(call.data<T>(7)) {}
};

template <class T>
struct BatchNormTraining : BatchNorm<T> {
  const double* moments;
  T* y;
  double *mean, *variance;
  T *running_mean, *running_variance;
  float momentum;

  explicit BatchNormTraining(const Call& call)
      : BatchNorm<T>(call, 1), moments(call.data<const double>(5)), y(call.data<T>(6)), mean(call.data<double>(7)),
        variance(call.data<double>(8)), running_mean(call.data<T>(9)), running_variance(call.data<T>(10)),
        momentum(call.option<ups_batch_norm_training_options>().momentum) {}

  // Of the batch, from those that are given.
  UPS_HD Moments joined(int64_t c) const {
    Moments of_batch;
    const double count = static_cast<double>(this->inner);
    for (int64_t row = 0; row < this->rows; ++row) {
      const double* const given = moments + 2 * (row * this->channels + c);
      if (this->counts(row)) of_batch.join({count, given[0], given[1] * count});
    }
    return of_batch;
  }
};

// Of statistics that are given, or in training of the batch's own, through which gradients pass.
template <class T, bool training>
struct BatchNormBackward : BatchNorm<T> {
  using Statistic = std::conditional_t<training, double, T>;
  const Statistic *mean, *variance;
  const T *y, *dy;
  T *dx, *dweight, *dbias, *dresidual;

  explicit BatchNormBackward(const Call& call)
      : BatchNorm<T>(call, 3), mean(call.data<const Statistic>(1)), variance(call.data<const Statistic>(2)),
        y(call.data<const T>(7)), dy(call.data<const T>(8)), dx(call.data<T>(9)), dweight(call.data<T>(10)),
        dbias(call.data<T>(11)), dresidual(call.data<T>(12)) {}
};

// One channel: x normalised is (x - centre) scale + offset, times weight plus bias (x - centre) factor + shift. The mean
// is in two parts, as a large one would lose digits otherwise.
struct ChannelNorm {
  float centre, scale, offset, factor, shift;
};
UPS_HD inline ChannelNorm channel_norm(double mean, double variance, float eps, float weight, float bias) {
  const float centre = static_cast<float>(mean);
  const double scale = 1.0 / sqrt(variance + static_cast<double>(eps)), factor = scale * static_cast<double>(weight);
  if (mean == static_cast<double>(centre))
    return {centre, static_cast<float>(scale), 0.0f, static_cast<float>(factor), bias};
  const double rest = mean - static_cast<double>(centre);
  return {centre, static_cast<float>(scale), static_cast<float>(-rest * scale), static_cast<float>(factor),
          static_cast<float>(static_cast<double>(bias) - rest * factor)};
}

// A channel's results of a training pass.
UPS_HD inline void keep_statistics(const BatchNormTraining<float>& f, int64_t c, const Moments& of_batch) {
  const double variance = of_batch.variance(), unbiased = of_batch.unbiased_variance();
  if (f.mean) f.mean[c] = of_batch.mean;
  if (f.variance) f.variance[c] = variance;
  if (of_batch.count == 0) return;
  const double share = static_cast<double>(f.momentum);
  if (f.running_mean)
    f.running_mean[c] =
        static_cast<float>((1 - share) * static_cast<double>(f.running_mean[c]) + share * of_batch.mean);
  if (f.running_variance)
    f.running_variance[c] =
        static_cast<float>((1 - share) * static_cast<double>(f.running_variance[c]) + share * unbiased);
}

}  // namespace upsilon
