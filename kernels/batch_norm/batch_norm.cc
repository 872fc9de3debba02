// Reference: the definition, in plain loops.
#include "batch_norm/batch_norm.h"

#include "batch_norm/batch_norm_call.h"
#include "lib/math/activation.h"
#include "lib/kernel.h"

namespace upsilon {
namespace {

// Calls body(at) for every number of a channel that counts.
template <class T, class Body>
void each_number(const BatchNorm<T>& f, int64_t c, Body&& body) {
  for (int64_t row = 0; row < f.rows; ++row)
    for (int64_t s = 0; f.counts(row) && s < f.inner; ++s) body((row * f.channels + c) * f.inner + s);
}

template <class T>
T scale_of(const BatchNorm<T>& f, T variance) {
  return T(1) / std::sqrt(variance + T(f.eps));
}

// What the activation is applied to.
template <class T>
T before_activation(const BatchNorm<T>& f, int64_t c, int64_t at, T normalised) {
  T z = f.weight ? normalised * f.weight[c] : normalised;
  if (f.bias) z += f.bias[c];
  return f.residual ? z + f.residual[at] : z;
}

template <class T>
void normalise(const BatchNorm<T>& f, int64_t c, T mean, T variance, T* y) {
  const T scale = scale_of(f, variance);
  each_number(
      f, c, [&](int64_t at) { y[at] = activate(before_activation(f, c, at, (f.x[at] - mean) * scale), f.activation); });
}

template <class T>
ups_status forward_reference(const Call& call) {
  const BatchNormForward<T> f(call);
  clear(f.y, f.numbers());
  for (int64_t c = 0; c < f.channels; ++c) normalise(f, c, f.mean[c], f.variance[c], f.y);
  return UPS_OK;
}

template <class T>
ups_status training_forward_reference(const Call& call) {
  const BatchNormTraining<T> f(call);
  clear(f.y, f.numbers());
  for (int64_t c = 0; c < f.channels; ++c) {
    T count = 0, mean = 0, variance = 0;
    each_number(f, c, [&](int64_t) { count += T(1); });
    each_number(f, c, [&](int64_t at) { mean += f.x[at] / count; });
    each_number(f, c, [&](int64_t at) { variance += (f.x[at] - mean) * (f.x[at] - mean) / count; });
    if (f.moments) {
      const Moments given = f.joined(c);
      mean = static_cast<T>(given.mean);
      variance = static_cast<T>(given.variance());
    }
    if (f.mean) f.mean[c] = static_cast<double>(mean);
    if (f.variance) f.variance[c] = static_cast<double>(variance);
    normalise(f, c, mean, variance, f.y);
    if (count == T(0)) continue;
    const T share = T(f.momentum);
    if (f.running_mean) f.running_mean[c] = (T(1) - share) * f.running_mean[c] + share * mean;
    if (f.running_variance)
      f.running_variance[c] = (T(1) - share) * f.running_variance[c] +
                              share * (count > T(1) ? variance * count / (count - T(1)) : variance);
  }
  return UPS_OK;
}

template <class T, bool training>
ups_status backward_reference(const Call& call) {
  const BatchNormBackward<T, training> f(call);
  clear(f.dx, f.numbers());
  clear(f.dresidual, f.numbers());
  for (int64_t c = 0; c < f.channels; ++c) {
    const T mean = static_cast<T>(f.mean[c]), scale = scale_of(f, static_cast<T>(f.variance[c]));
    const auto normalised = [&](int64_t at) { return (f.x[at] - mean) * scale; };
    const auto dz = [&](int64_t at) {
      return f.dy[at] * activation_slope(before_activation(f, c, at, normalised(at)), f.y[at], f.activation);
    };
    T count = 0, sum = 0, along = 0;
    each_number(f, c, [&](int64_t at) {
      count += T(1);
      sum += dz(at);
      along += dz(at) * normalised(at);
    });
    if (f.dweight) f.dweight[c] = along;
    if (f.dbias) f.dbias[c] = sum;
    const T factor = f.weight ? scale * f.weight[c] : scale;
    each_number(f, c, [&](int64_t at) {
      if (f.dx) f.dx[at] = factor * (training ? dz(at) - sum / count - normalised(at) * (along / count) : dz(at));
      if (f.dresidual) f.dresidual[at] = dz(at);
    });
  }
  return UPS_OK;
}

const OperationOf<BatchNormForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<BatchNormBackwardCall> backward{{backward_reference<float, false>},
                                                  {backward_reference<double, false>}};
const OperationOf<BatchNormTrainingForwardCall> training_forward{{training_forward_reference<float>},
                                                                 {training_forward_reference<double>}};
const OperationOf<BatchNormTrainingBackwardCall> training_backward{{backward_reference<float, true>},
                                                                   {backward_reference<double, true>}};

}  // namespace
}  // namespace upsilon

ups_status ups_batch_norm_forward(ups_context* context, const ups_tensor* x, const ups_tensor* mean,
                                  const ups_tensor* variance, const ups_tensor* weight, const ups_tensor* bias,
                                  const ups_tensor* mask, const ups_tensor* residual, ups_tensor* y,
                                  const ups_batch_norm_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, mean, variance, weight, bias, mask, residual, y}, options);
}

ups_status ups_batch_norm_backward(ups_context* context, const ups_tensor* x, const ups_tensor* mean,
                                   const ups_tensor* variance, const ups_tensor* weight, const ups_tensor* bias,
                                   const ups_tensor* mask, const ups_tensor* residual, const ups_tensor* y,
                                   const ups_tensor* dy, ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                   ups_tensor* dresidual, const ups_batch_norm_options* options) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {x, mean, variance, weight, bias, mask, residual, y, dy, dx, dweight, dbias, dresidual},
                       options);
}

ups_status ups_batch_norm_training_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                           const ups_tensor* bias, const ups_tensor* mask, const ups_tensor* residual,
                                           const ups_tensor* moments, ups_tensor* y, ups_tensor* batch_mean,
                                           ups_tensor* batch_variance, ups_tensor* running_mean,
                                           ups_tensor* running_variance,
                                           const ups_batch_norm_training_options* options) noexcept {
  return upsilon::call(
      context, upsilon::training_forward,
      {x, weight, bias, mask, residual, moments, y, batch_mean, batch_variance, running_mean, running_variance},
      options);
}

ups_status ups_batch_norm_training_backward(ups_context* context, const ups_tensor* x, const ups_tensor* batch_mean,
                                            const ups_tensor* batch_variance, const ups_tensor* weight,
                                            const ups_tensor* bias, const ups_tensor* mask, const ups_tensor* residual,
                                            const ups_tensor* y, const ups_tensor* dy, ups_tensor* dx,
                                            ups_tensor* dweight, ups_tensor* dbias, ups_tensor* dresidual,
                                            const ups_batch_norm_options* options) noexcept {
  return upsilon::call(
      context, upsilon::training_backward,
      {x, batch_mean, batch_variance, weight, bias, mask, residual, y, dy, dx, dweight, dbias, dresidual}, options);
}
