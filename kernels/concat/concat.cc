// Reference: the definition, in plain loops.
#include "concat/concat.h"

#include "lib/kernel.h"
#include "concat/concat_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const ConcatForward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int k = 0; k < most_parts; ++k)
      for (int64_t c = 0; c < f.widths[k]; ++c) f.y[row * f.width + f.begin[k] + c] = f.part[k][row * f.widths[k] + c];
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const ConcatBackward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int k = 0; k < most_parts; ++k)
      for (int64_t c = 0; f.part[k] && c < f.widths[k]; ++c)
        f.part[k][row * f.widths[k] + c] = f.dy[row * f.width + f.begin[k] + c];
  return UPS_OK;
}

const OperationEntry forward{
    "concat_forward", UPS_CONCAT_FORWARD_SCHEMA, 0, {forward_reference<float>}, {forward_reference<double>}};
const OperationEntry backward{"concat_backward",
                              UPS_CONCAT_BACKWARD_SCHEMA,
                              0,
                              {backward_reference<float>, nullptr, concat_backward_supports},
                              {backward_reference<double>, nullptr, concat_backward_supports}};

}  // namespace
}  // namespace upsilon

ups_status ups_concat_forward(ups_context* context, const ups_tensor* const* inputs, ups_tensor* y) noexcept {
  const ups_tensor* tensors[UPS_CONCAT_MAX_INPUTS + 1] = {};
  for (int k = 0; inputs && k < UPS_CONCAT_MAX_INPUTS; ++k) tensors[k] = inputs[k];
  tensors[UPS_CONCAT_MAX_INPUTS] = y;
  return upsilon::call(context, upsilon::forward, tensors, nullptr);
}

ups_status ups_concat_backward(ups_context* context, const ups_tensor* const* inputs, const ups_tensor* dy,
                               const ups_tensor* const* dinputs) noexcept {
  const ups_tensor* tensors[2 * UPS_CONCAT_MAX_INPUTS + 1] = {};
  for (int k = 0; k < UPS_CONCAT_MAX_INPUTS; ++k) {
    if (inputs) tensors[k] = inputs[k];
    if (dinputs) tensors[UPS_CONCAT_MAX_INPUTS + 1 + k] = dinputs[k];
  }
  tensors[UPS_CONCAT_MAX_INPUTS] = dy;
  return upsilon::call(context, upsilon::backward, tensors, nullptr);
}
