// Reference: the definition, pair by pair (pairs.h).
#include "distance_correlation/distance_correlation.h"

#include "distance_correlation/distance_correlation_call.h"
#include "distance_correlation/pairs.h"
#include "distance_correlation/validity.h"

namespace upsilon {
namespace {

// Pairs' scratch, and the gradients before they are rounded.
constexpr int64_t numbers_per_element = Pairs<float>::numbers_per_element + 3;

struct Scratch {
  double* numbers;
  template <class T>
  Scratch(const DistanceCorrelation<T>& f, WorkspaceLayout& workspace)
      : numbers(workspace.reserve<double>(numbers_per_element * f.elements)) {}
};

template <class T>
Pairs<T> pairs_of(const DistanceCorrelation<T>& f, int64_t set, double* scratch) {
  const int64_t first = f.offsets[set];
  return {f.options, f.weights ? f.weights + first : nullptr, f.offsets[set + 1] - first, scratch};
}

template <class T>
ups_status forward_reference(const Call& call) {
  const DistanceCorrelationForward<T> f(call);
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t first = f.offsets[set];
    Pairs<T> pairs = pairs_of(f, set, scratch_of<Scratch>(call, f).numbers);
    for (int64_t k = 0; k < f.variables; ++k)
      f.value[k * f.sets + set] =
          pairs.compare({f.x + k * f.elements + first, 1}, {f.y + first, 1}, 0, nullptr, nullptr, nullptr);
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const DistanceCorrelationBackward<T> f(call);
  double* const scratch = scratch_of<Scratch>(call, f).numbers;
  clear(f.dx, f.variables * f.elements);
  clear(f.dy, f.elements);
  clear(f.dweights, f.elements);
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t first = f.offsets[set], count = f.offsets[set + 1] - first;
    double *dx = scratch + Pairs<T>::numbers_per_element * count, *dy = dx + count, *dweights = dy + count;
    Pairs<T> pairs = pairs_of(f, set, scratch);
    clear(dy, 2 * count);
    for (int64_t k = 0; k < f.variables; ++k) {
      clear(dx, count);
      const double value =
          pairs.compare({f.x + k * f.elements + first, 1}, {f.y + first, 1}, f.dvalue[k * f.sets + set],
                        f.dx ? dx : nullptr, f.dy ? dy : nullptr, f.dweights ? dweights : nullptr);
      if (f.value) f.value[k * f.sets + set] = value;
      for (int64_t i = 0; f.dx && i < count; ++i) f.dx[k * f.elements + first + i] = static_cast<T>(dx[i]);
    }
    for (int64_t i = 0; f.dy && i < count; ++i) f.dy[first + i] = static_cast<T>(dy[i]);
    for (int64_t i = 0; f.dweights && i < count; ++i) f.dweights[first + i] = static_cast<T>(dweights[i]);
  }
  return UPS_OK;
}

const OperationOf<DistanceCorrelationForwardCall> forward{
    {forward_reference<float>, workspace_of<DistanceCorrelationForward<float>, Scratch>},
    {forward_reference<double>, workspace_of<DistanceCorrelationForward<double>, Scratch>},
    validated_by<refuse_weights_of_unbiased<DistanceCorrelationForwardCall>>};
const OperationOf<DistanceCorrelationBackwardCall> backward{
    {backward_reference<float>, workspace_of<DistanceCorrelationBackward<float>, Scratch>},
    {backward_reference<double>, workspace_of<DistanceCorrelationBackward<double>, Scratch>},
    validated_by<validate_weight_gradients<DistanceCorrelationBackwardCall>>};

}  // namespace
}  // namespace upsilon

ups_status ups_distance_correlation_forward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                            const ups_tensor* weights, const ups_tensor* offsets,
                                            const ups_tensor* order, ups_tensor* value,
                                            const ups_distance_correlation_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, y, weights, offsets, order, value}, options);
}

ups_status ups_distance_correlation_backward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                             const ups_tensor* weights, const ups_tensor* offsets,
                                             const ups_tensor* order, const ups_tensor* dvalue, ups_tensor* value,
                                             ups_tensor* dx, ups_tensor* dy, ups_tensor* dweights,
                                             const ups_distance_correlation_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, y, weights, offsets, order, dvalue, value, dx, dy, dweights},
                       options);
}
