// Reference: the definition, in plain loops.
#include "softmax/softmax.h"

#include "lib/math/softmax.h"
#include "softmax/softmax_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const SoftmaxForward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row) softmax_of(f.x + row * f.features, f.features, 1, f.y + row * f.features);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const SoftmaxBackward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row) {
    const int64_t at = row * f.features;
    softmax_gradient_of(f.y + at, f.dy + at, f.features, 1, f.dx + at);
  }
  return UPS_OK;
}

const OperationOf<SoftmaxForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<SoftmaxBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_softmax_forward(ups_context* context, const ups_tensor* x, ups_tensor* y) noexcept {
  return upsilon::call(context, upsilon::forward, {x, y}, nullptr);
}

ups_status ups_softmax_backward(ups_context* context, const ups_tensor* y, const ups_tensor* dy,
                                ups_tensor* dx) noexcept {
  return upsilon::call(context, upsilon::backward, {y, dy, dx}, nullptr);
}
