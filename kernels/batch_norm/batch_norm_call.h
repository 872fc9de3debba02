// A checked call of batch_norm, as plain numbers and pointers.
#pragma once
#include <cmath>
#include <type_traits>

#include "batch_norm/batch_norm.h"
#include "lib/math/moments.h"
#include "core/named_call.h"

namespace upsilon {

inline constexpr OperationLine batch_norm_forward_line{"batch_norm_forward", UPS_BATCH_NORM_FORWARD_SCHEMA};
using BatchNormForwardCall = CallOf<batch_norm_forward_line, ups_batch_norm_options>;
inline constexpr OperationLine batch_norm_backward_line{"batch_norm_backward", UPS_BATCH_NORM_BACKWARD_SCHEMA};
using BatchNormBackwardCall = CallOf<batch_norm_backward_line, ups_batch_norm_options>;
inline constexpr OperationLine batch_norm_training_forward_line{"batch_norm_training_forward",
                                                                UPS_BATCH_NORM_TRAINING_FORWARD_SCHEMA};
using BatchNormTrainingForwardCall = CallOf<batch_norm_training_forward_line, ups_batch_norm_training_options>;
inline constexpr OperationLine batch_norm_training_backward_line{"batch_norm_training_backward",
                                                                 UPS_BATCH_NORM_TRAINING_BACKWARD_SCHEMA};
using BatchNormTrainingBackwardCall = CallOf<batch_norm_training_backward_line, ups_batch_norm_options>;

// What all calls have in common.
template <class T>
struct BatchNorm {
  int64_t rows, channels, inner;
  const T *x, *weight, *bias, *residual;
  const uint8_t* mask;
  float eps;
  int32_t activation;

  template <NamedCall Named>
  explicit BatchNorm(const Named& call)
      : rows(call.dim("B")), channels(call.dim("C")), inner(call.dim("S")), x(call["x"]), weight(call["weight"]),
        bias(call["bias"]), residual(call["residual"]), mask(call["mask"]), eps(call.options().eps),
        activation(call.options().activation) {}

  UPS_HD bool counts(int64_t row) const { return !mask || mask[row] != 0; }
  int64_t numbers() const { return rows * channels * inner; }
};

template <class T>
struct BatchNormForward : BatchNorm<T> {
  const T *mean, *variance;
  T* y;

  explicit BatchNormForward(const BatchNormForwardCall& call)
      : BatchNorm<T>(call), mean(call["mean"]), variance(call["variance"]), y(call["y"]) {}
};

template <class T>
struct BatchNormTraining : BatchNorm<T> {
  const double* moments;
  T* y;
  double *mean, *variance;
  T *running_mean, *running_variance;
  float momentum;

  explicit BatchNormTraining(const BatchNormTrainingForwardCall& call)
      : BatchNorm<T>(call), moments(call["moments"]), y(call["y"]), mean(call["batch_mean"]),
        variance(call["batch_variance"]), running_mean(call["running_mean"]),
        running_variance(call["running_variance"]), momentum(call.options().momentum) {}

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

  using Named = std::conditional_t<training, BatchNormTrainingBackwardCall, BatchNormBackwardCall>;
  explicit BatchNormBackward(const Named& call)
      : BatchNorm<T>(call), y(call["y"]), dy(call["dy"]), dx(call["dx"]), dweight(call["dweight"]),
        dbias(call["dbias"]), dresidual(call["dresidual"]) {
    if constexpr (training) {
      mean = call["batch_mean"];
      variance = call["batch_variance"];
    } else {
      mean = call["mean"];
      variance = call["variance"];
    }
  }
};

// One channel: x normalised is (x - centre) scale + offset, times weight plus bias (x - centre)
// factor + shift. The mean is in two parts, as a large one would lose digits otherwise.
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
