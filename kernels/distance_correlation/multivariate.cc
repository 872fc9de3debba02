// Reference: the definition, pair by pair (pairs.h).
#include "distance_correlation/distance_correlation.h"
#include "distance_correlation/multivariate_call.h"
#include "distance_correlation/pairs.h"
#include "distance_correlation/validity.h"

namespace upsilon {
namespace {

// Of Pairs, and the gradients before they are rounded.
struct Scratch {
  double* numbers;
  template <class T>
  Scratch(const MultivariateDistanceCorrelation<T>& f, WorkspaceLayout& workspace)
      : numbers(workspace.reserve<double>((Pairs<T>::numbers_per_element + f.x_dims + f.y_dims + 1) * f.points)) {}
};

template <class T>
ups_status forward_reference(const Call& call) {
  const MultivariateForward<T> f(call);
  Pairs<T> pairs(f.options, f.weights, f.points, scratch_of<Scratch>(call, f).numbers);
  *f.value = pairs.compare({f.x, f.x_dims}, {f.y, f.y_dims}, 0, nullptr, nullptr, nullptr);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MultivariateBackward<T> f(call);
  double* const scratch = scratch_of<Scratch>(call, f).numbers;
  double* const dx = scratch + Pairs<T>::numbers_per_element * f.points;
  double *const dy = dx + f.points * f.x_dims, *const dweights = dy + f.points * f.y_dims;
  clear(dx, f.points * (f.x_dims + f.y_dims + 1));
  Pairs<T> pairs(f.options, f.weights, f.points, scratch);
  const double value = pairs.compare({f.x, f.x_dims}, {f.y, f.y_dims}, *f.dvalue, f.dx ? dx : nullptr,
                                     f.dy ? dy : nullptr, f.dweights ? dweights : nullptr);
  if (f.value) *f.value = value;
  const auto round = [](const double* wide, int64_t count, T* into) {
    for (int64_t i = 0; into && i < count; ++i) into[i] = static_cast<T>(wide[i]);
  };
  round(dx, f.points * f.x_dims, f.dx);
  round(dy, f.points * f.y_dims, f.dy);
  round(dweights, f.points, f.dweights);
  return UPS_OK;
}

const OperationOf<MultivariateDistanceCorrelationForwardCall> forward{
    {forward_reference<float>, workspace_of<MultivariateForward<float>, Scratch>},
    {forward_reference<double>, workspace_of<MultivariateForward<double>, Scratch>},
    validated_by<refuse_weights_of_unbiased<MultivariateDistanceCorrelationForwardCall>>};
const OperationOf<MultivariateDistanceCorrelationBackwardCall> backward{
    {backward_reference<float>, workspace_of<MultivariateBackward<float>, Scratch>},
    {backward_reference<double>, workspace_of<MultivariateBackward<double>, Scratch>},
    validated_by<validate_weight_gradients<MultivariateDistanceCorrelationBackwardCall>>};

}  // namespace
}  // namespace upsilon

ups_status ups_multivariate_distance_correlation_forward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                                         const ups_tensor* weights, ups_tensor* value,
                                                         const ups_distance_correlation_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, y, weights, value}, options);
}

ups_status ups_multivariate_distance_correlation_backward(ups_context* context, const ups_tensor* x,
                                                          const ups_tensor* y, const ups_tensor* weights,
                                                          const ups_tensor* dvalue, ups_tensor* value, ups_tensor* dx,
                                                          ups_tensor* dy, ups_tensor* dweights,
                                                          const ups_distance_correlation_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, y, weights, dvalue, value, dx, dy, dweights}, options);
}
