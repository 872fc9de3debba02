// Reference: the definition, pair by pair (pairs.h).
#include "distance_correlation/distance_correlation.h"
#include "distance_correlation/multivariate_call.h"
#include "distance_correlation/pairs.h"

namespace upsilon {
namespace {

// Pairs' scratch, and the gradients before they are rounded.
size_t workspace(const Call& call) {
  const int64_t numbers = Pairs<float>::numbers_per_element + call.dims[1] + call.dims[2] + 1;
  return static_cast<size_t>(numbers * call.dims[0]) * sizeof(double);
}

template <class T>
ups_status forward_reference(const Call& call) {
  const MultivariateDistanceCorrelation<T> f(call, false);
  Pairs<T> pairs(f.options, f.weights, f.points, static_cast<double*>(call.workspace));
  *f.value = pairs.compare({f.x, f.x_dims}, {f.y, f.y_dims}, 0, nullptr, nullptr, nullptr);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MultivariateDistanceCorrelation<T> f(call, true);
  double* const scratch = static_cast<double*>(call.workspace);
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

const OperationEntry forward{"multivariate_distance_correlation_forward",
                             UPS_MULTIVARIATE_DISTANCE_CORRELATION_FORWARD_SCHEMA,
                             sizeof(ups_distance_correlation_options),
                             {forward_reference<float>, workspace, multivariate_supports},
                             {forward_reference<double>, workspace, multivariate_supports}};
const OperationEntry backward{"multivariate_distance_correlation_backward",
                              UPS_MULTIVARIATE_DISTANCE_CORRELATION_BACKWARD_SCHEMA,
                              sizeof(ups_distance_correlation_options),
                              {backward_reference<float>, workspace, multivariate_backward_supports},
                              {backward_reference<double>, workspace, multivariate_backward_supports}};

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
