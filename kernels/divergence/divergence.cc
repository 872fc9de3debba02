// Reference: the definition, in plain loops.
#include "divergence/divergence.h"

#include "core/validity.h"
#include "divergence/sums.h"

namespace upsilon {
namespace {

ups_status forward_reference(const Call& call) {
  const DivergenceForward f(call);
  *f.value = divergence_of(f);
  return UPS_OK;
}

ups_status backward_reference(const Call& call) {
  differentiate_divergence(DivergenceBackward(call));
  return UPS_OK;
}

template <class Named>
void validate(const Named& call, RefusalOf<Named>& refuse) {
  if (call.options().base == 1) refuse("base", "is 1 (expected another number)");
}

const OperationOf<DivergenceForwardCall> forward{
    {forward_reference}, {forward_reference}, validated_by<validate<DivergenceForwardCall>>};
const OperationOf<DivergenceBackwardCall> backward{
    {backward_reference}, {backward_reference}, validated_by<validate<DivergenceBackwardCall>>};

}  // namespace
}  // namespace upsilon

ups_status ups_divergence_forward(ups_context* context, const ups_tensor* p, const ups_tensor* q, ups_tensor* value,
                                  const ups_divergence_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {p, q, value}, options);
}

ups_status ups_divergence_backward(ups_context* context, const ups_tensor* p, const ups_tensor* q,
                                   const ups_tensor* dvalue, ups_tensor* dp, ups_tensor* dq,
                                   const ups_divergence_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {p, q, dvalue, dp, dq}, options);
}
