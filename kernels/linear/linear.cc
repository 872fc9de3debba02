// Reference: the definition, in plain loops.
#include "linear/linear.h"

#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "linear/linear_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const LinearForward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int64_t out = 0; out < f.outputs; ++out) {
      T z = f.bias ? f.bias[out] : T(0);
      for (int64_t in = 0; in < f.inputs; ++in) z += f.x[row * f.inputs + in] * f.weight[out * f.inputs + in];
      f.y[row * f.outputs + out] = activate(z, f.activation);
    }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const LinearBackward<T> f(call);
  clear(f.dx, f.rows * f.inputs);
  clear(f.dweight, f.outputs * f.inputs);
  clear(f.dbias, f.outputs);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int64_t out = 0; out < f.outputs; ++out) {
      const T* x = f.x + row * f.inputs;
      const T* weight = f.weight + out * f.inputs;
      T z = f.bias ? f.bias[out] : T(0);
      if (f.activation == UPS_ACTIVATION_GELU)
        for (int64_t in = 0; in < f.inputs; ++in) z += x[in] * weight[in];
      const int64_t at = row * f.outputs + out;
      const T dz = f.dy[at] * activation_slope(z, f.y[at], f.activation);
      for (int64_t in = 0; in < f.inputs; ++in) {
        if (f.dx) f.dx[row * f.inputs + in] += dz * weight[in];
        if (f.dweight) f.dweight[out * f.inputs + in] += dz * x[in];
      }
      if (f.dbias) f.dbias[out] += dz;
    }
  return UPS_OK;
}

const OperationOf<LinearForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<LinearBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_linear_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                              const ups_tensor* bias, ups_tensor* y, const ups_linear_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, weight, bias, y}, options);
}

ups_status ups_linear_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                               const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy, ups_tensor* dx,
                               ups_tensor* dweight, ups_tensor* dbias, const ups_linear_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, weight, bias, y, dy, dx, dweight, dbias}, options);
}
