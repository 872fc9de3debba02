// Reference: the definition, in plain loops.
#include "concat/concat.h"

#include "core/validity.h"
#include "lib/kernel.h"
#include "concat/concat_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const ConcatForward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int k = 0; k < max_parts; ++k)
      for (int64_t c = 0; c < f.widths[k]; ++c) f.y[row * f.width + f.begin[k] + c] = f.part[k][row * f.widths[k] + c];
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const ConcatBackward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row)
    for (int k = 0; k < max_parts; ++k)
      for (int64_t c = 0; f.part[k] && c < f.widths[k]; ++c)
        f.part[k][row * f.widths[k] + c] = f.dy[row * f.width + f.begin[k] + c];
  return UPS_OK;
}

void validate(const ConcatBackwardCall&, RefusalOf<ConcatBackwardCall>& refuse) {
  refuse.each_given_without("dx#", "x#");
}

const OperationOf<ConcatForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<ConcatBackwardCall> backward{
    {backward_reference<float>}, {backward_reference<double>}, validated_by<validate>};

}  // namespace
}  // namespace upsilon

ups_status ups_concat_forward(ups_context* context, const ups_tensor* const* inputs, ups_tensor* y) noexcept {
  upsilon::ConcatForwardCall::Arguments to;
  to.put("x#", inputs);
  to["y"] = y;
  return upsilon::call(context, upsilon::forward, to.tensors, nullptr);
}

ups_status ups_concat_backward(ups_context* context, const ups_tensor* const* inputs, const ups_tensor* dy,
                               const ups_tensor* const* dinputs) noexcept {
  upsilon::ConcatBackwardCall::Arguments to;
  to.put("x#", inputs);
  to["dy"] = dy;
  to.put("dx#", dinputs);
  return upsilon::call(context, upsilon::backward, to.tensors, nullptr);
}
