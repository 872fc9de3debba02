// Reference: the definition, in plain loops.
#include "optim/optim.h"

#include "core/validity.h"
#include "lib/kernel.h"
#include "optim/optim_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status accumulate_reference(const Call& call) {
  const Accumulate<T> f(call);
  for (int64_t i = 0; i < f.count; ++i) f.y[i] += f.scale * f.x[i];
  return UPS_OK;
}

template <class T>
ups_status sgd_reference(const Call& call) {
  const Sgd<T> f(call);
  for (int64_t i = 0; i < f.count; ++i) {
    T gradient = f.gradient[i] + f.weight_decay * f.parameter[i];
    if (f.velocity) {
      f.velocity[i] = f.first_step ? gradient : f.momentum * f.velocity[i] + gradient;
      gradient = f.nesterov ? gradient + f.momentum * f.velocity[i] : f.velocity[i];
    }
    f.parameter[i] -= f.learning_rate * gradient;
  }
  return UPS_OK;
}

template <class T>
ups_status adam_reference(const Call& call) {
  const Adam<T> f(call);
  for (int64_t i = 0; i < f.count; ++i) {
    const T gradient = f.gradient[i] + f.gradient_decay * f.parameter[i];
    f.mean[i] = f.beta1 * f.mean[i] + f.one_minus_beta1 * gradient;
    f.square[i] = f.beta2 * f.square[i] + f.one_minus_beta2 * gradient * gradient;
    f.parameter[i] = f.parameter_factor * f.parameter[i] -
                     f.step_size * f.mean[i] / (std::sqrt(f.square_scale * f.square[i]) + f.epsilon);
  }
  return UPS_OK;
}

void validate(const SgdCall& call, RefusalOf<SgdCall>& refuse) {
  const auto& o = call.options();
  if (o.nesterov && o.momentum == 0) refuse("nesterov", "is true but momentum is 0 (expected a momentum above 0)");
}

const OperationOf<AccumulateCall> accumulate{{accumulate_reference<float>}, {accumulate_reference<double>}};
const OperationOf<SgdCall> sgd{{sgd_reference<float>}, {sgd_reference<double>}, validated_by<validate>};
const OperationOf<AdamCall> adam{{adam_reference<float>}, {adam_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_accumulate(ups_context* context, const ups_tensor* x, ups_tensor* y,
                          const ups_accumulate_options* options) noexcept {
  return upsilon::call(context, upsilon::accumulate, {x, y}, options);
}

ups_status ups_sgd(ups_context* context, const ups_tensor* gradient, ups_tensor* parameter, ups_tensor* velocity,
                   const ups_sgd_options* options) noexcept {
  return upsilon::call(context, upsilon::sgd, {gradient, parameter, velocity}, options);
}

ups_status ups_adam(ups_context* context, const ups_tensor* gradient, ups_tensor* parameter, ups_tensor* mean,
                    ups_tensor* square, const ups_adam_options* options) noexcept {
  return upsilon::call(context, upsilon::adam, {gradient, parameter, mean, square}, options);
}
