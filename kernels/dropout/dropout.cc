// Reference: the definition, in plain loops.
#include "dropout/dropout.h"

#include "lib/kernel.h"
#include "dropout/dropout_call.h"

namespace upsilon {
namespace {

template <class T, class Named>
ups_status reference(const Call& call) {
  const DropoutCall<T> f(Named{call});
  for (int64_t i = 0; i < f.count; ++i) f.y[i] = f.keep.times(f.keep.factor(i), f.x[i]);
  return UPS_OK;
}

const OperationOf<DropoutForwardCall> forward{{reference<float, DropoutForwardCall>},
                                              {reference<double, DropoutForwardCall>}};
const OperationOf<DropoutBackwardCall> backward{{reference<float, DropoutBackwardCall>},
                                                {reference<double, DropoutBackwardCall>}};

}  // namespace
}  // namespace upsilon

ups_status ups_dropout_forward(ups_context* context, const ups_tensor* x, ups_tensor* y,
                               const ups_dropout_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, y}, options);
}

ups_status ups_dropout_backward(ups_context* context, const ups_tensor* dy, ups_tensor* dx,
                                const ups_dropout_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {dy, dx}, options);
}
