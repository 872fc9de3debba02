// Reference: the definition, in plain loops.
#include "layer_norm/layer_norm.h"

#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "layer_norm/layer_norm_call.h"

namespace upsilon {
namespace {

template <class T>
struct Statistics {
  T mean = 0, scale = 0;  // scale = 1 / sqrt(variance + eps)

  Statistics(T mean_, T variance, float eps) : mean(mean_), scale(T(1) / std::sqrt(variance + T(eps))) {}

  template <class Norm>
  Statistics(const Norm& f, int64_t row) {
    const T* x = f.x + row * f.features;
    const T count = static_cast<T>(f.features);
    for (int64_t c = 0; c < f.features; ++c) mean += x[c] / count;
    T variance = 0;
    for (int64_t c = 0; c < f.features; ++c) variance += (x[c] - mean) * (x[c] - mean) / count;
    scale = T(1) / std::sqrt(variance + T(f.eps));
  }
};

// x normalised, then z = that times weight plus bias.
template <class T, class Norm>
T affine(const Norm& f, int64_t c, T normalised) {
  const T z = f.weight ? normalised * f.weight[c] : normalised;
  return f.bias ? z + f.bias[c] : z;
}

template <class T>
ups_status forward_reference(const Call& call) {
  const LayerNormForward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row) {
    const double* given = f.moments ? f.moments + 2 * row : nullptr;
    const Statistics<T> s = given ? Statistics<T>(T(given[0]), T(given[1]), f.eps) : Statistics<T>(f, row);
    for (int64_t c = 0; c < f.features; ++c) {
      const int64_t at = row * f.features + c;
      f.y[at] = activate(affine(f, c, (f.x[at] - s.mean) * s.scale), f.activation);
    }
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const LayerNormBackward<T> f(call);
  const T count = static_cast<T>(f.features);
  clear(f.dweight, f.features);
  clear(f.dbias, f.features);
  for (int64_t row = 0; row < f.rows; ++row) {
    const Statistics<T> s(f, row);
    const auto normalised = [&](int64_t c) { return (f.x[row * f.features + c] - s.mean) * s.scale; };
    const auto dz = [&](int64_t c) {
      const int64_t at = row * f.features + c;
      return f.dy[at] * activation_slope(affine(f, c, normalised(c)), f.y[at], f.activation);
    };
    const auto dnormalised = [&](int64_t c) { return f.weight ? dz(c) * f.weight[c] : dz(c); };
    T mean = 0, along = 0;
    for (int64_t c = 0; c < f.features; ++c) {
      mean += dnormalised(c) / count;
      along += dnormalised(c) * normalised(c) / count;
      if (f.dweight) f.dweight[c] += dz(c) * normalised(c);
      if (f.dbias) f.dbias[c] += dz(c);
    }
    for (int64_t c = 0; f.dx && c < f.features; ++c)
      f.dx[row * f.features + c] = s.scale * (dnormalised(c) - mean - normalised(c) * along);
  }
  return UPS_OK;
}

const OperationOf<LayerNormForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<LayerNormBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_layer_norm_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                  const ups_tensor* bias, const ups_tensor* moments, ups_tensor* y,
                                  const ups_layer_norm_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, weight, bias, moments, y}, options);
}

ups_status ups_layer_norm_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                   const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy, ups_tensor* dx,
                                   ups_tensor* dweight, ups_tensor* dbias,
                                   const ups_layer_norm_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, weight, bias, y, dy, dx, dweight, dbias}, options);
}
