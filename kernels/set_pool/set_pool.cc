// Reference: the definition, in plain loops.
#include "set_pool/set_pool.h"

#include "lib/kernel.h"
#include "lib/segments/pool_validity.h"
#include "set_pool/set_pool_call.h"

namespace upsilon {
namespace {

// Whether `value` takes the place of the extreme so far: beyond it, or the first NaN.
template <class T>
bool replaces(T value, T extreme, int32_t pool) {
  if (std::isnan(extreme)) return false;
  return std::isnan(value) || (pool == UPS_POOL_MAX ? value > extreme : value < extreme);
}

// The extreme element of a set that is not empty, in one channel.
template <class T>
int64_t find_extreme(const T* x, int64_t channels, int64_t channel, int64_t begin, int64_t end, int32_t pool) {
  int64_t extreme = begin;
  for (int64_t i = begin + 1; i < end; ++i)
    if (replaces(x[i * channels + channel], x[extreme * channels + channel], pool)) extreme = i;
  return extreme;
}

template <class T>
ups_status forward_reference(const Call& call) {
  const SetPoolForward<T> f(call);
  for (int64_t set = 0; set < f.sets; ++set)
    for (int64_t c = 0; c < f.channels; ++c) {
      const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
      T pooled(0);
      if (is_extreme(f.pool) && begin < end) {
        pooled = f.x[find_extreme(f.x, f.channels, c, begin, end, f.pool) * f.channels + c];
      } else if (begin < end) {
        for (int64_t i = begin; i < end; ++i)
          pooled += f.weights ? f.weights[i] * f.x[i * f.channels + c] : f.x[i * f.channels + c];
        if (f.pool == UPS_POOL_MEAN) pooled *= mean_scale(total_weight(f.weights, begin, end));
      }
      f.y[set * f.channels + c] = pooled;
    }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const SetPoolBackward<T> f(call);
  clear(f.dx, f.elements * f.channels);
  clear(f.dweights, f.elements);
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
    const T scale = f.pool == UPS_POOL_MEAN ? mean_scale(total_weight(f.weights, begin, end)) : T(1);
    const T* dy = f.dy + set * f.channels;
    for (int64_t c = 0; f.dx && begin < end && c < f.channels; ++c) {
      if (is_extreme(f.pool)) {
        f.dx[find_extreme(f.x, f.channels, c, begin, end, f.pool) * f.channels + c] = dy[c];
        continue;
      }
      for (int64_t i = begin; i < end; ++i)
        f.dx[i * f.channels + c] = dy[c] * (f.weights ? scale * f.weights[i] : scale);
    }
    if (!f.dweights) continue;
    T mean(0);  // of dy . x, weighted
    for (int64_t i = begin; i < end; ++i) {
      T product(0);
      for (int64_t c = 0; c < f.channels; ++c) product += dy[c] * f.x[i * f.channels + c];
      f.dweights[i] = scale * product;
      mean += scale * f.weights[i] * product;
    }
    for (int64_t i = begin; f.pool == UPS_POOL_MEAN && i < end; ++i) f.dweights[i] -= scale * mean;
  }
  return UPS_OK;
}

template <class Named>
void validate(const Named& call, RefusalOf<Named>& refuse) {
  if (call.given("weights") && is_extreme(call.options().pool)) refuse("weights", weighted_extreme_text(refuse));
}
// The extreme row is looked for in x, and gradients of weights are products with it.
void validate_backward(const SetPoolBackwardCall& call, RefusalOf<SetPoolBackwardCall>& refuse) {
  validate(call, refuse);
  refuse.given_without("dweights", "weights");
  refuse.given_without("dweights", "x");
  if (is_extreme(call.options().pool) && !call.given("x"))
    refuse("x", "is missing but " + named("pool") + " is " + refuse.option_text("pool") + " (expected x: real[N, C])");
}

const OperationOf<SetPoolForwardCall> forward{
    {forward_reference<float>}, {forward_reference<double>}, validated_by<validate<SetPoolForwardCall>>};
const OperationOf<SetPoolBackwardCall> backward{
    {backward_reference<float>}, {backward_reference<double>}, validated_by<validate_backward>};

}  // namespace
}  // namespace upsilon

ups_status ups_set_pool_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                const ups_tensor* weights, ups_tensor* y,
                                const ups_set_pool_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, offsets, weights, y}, options);
}

ups_status ups_set_pool_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                 const ups_tensor* weights, const ups_tensor* dy, ups_tensor* dx, ups_tensor* dweights,
                                 const ups_set_pool_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, offsets, weights, dy, dx, dweights}, options);
}
