// Reference: the definition, in plain loops, event by event.
#include "multi_deep_set/multi_deep_set.h"

#include <initializer_list>

#include "multi_deep_set/multi_deep_set_call.h"

namespace upsilon {
namespace {

template <class T>
struct Scratch {
  Particle<T> row[UPS_MULTI_DEEP_SET_MAX_SETS];
  Extremes<T> extremes;

  Scratch(const MultiDeepSet<T>& f, Pieces& pieces)
      : row{{f.list[0], pieces}, {f.list[1], pieces}, {f.list[2], pieces}, {f.list[3], pieces},
            {f.list[4], pieces}, {f.list[5], pieces}, {f.list[6], pieces}, {f.list[7], pieces}},
        extremes(f.width, pieces) {}

  // The extremes of set `s`, or of all sets where they are pooled together.
  void find_extremes(const MultiDeepSet<T>& f, int64_t event, int32_t s) {
    extremes.any = false;
    for (int32_t other = f.before ? 0 : s; other < (f.before ? f.lists : s + 1); ++other)
      extremes.take(f.list[other], row[other], event, other);
  }
};

template <class T>
size_t workspace_reference(const Call& call) {
  Pieces pieces(nullptr);
  (void)Scratch<T>(MultiDeepSet<T>(call), pieces);
  return pieces.bytes();
}

template <class T>
T scale_of(const MultiDeepSet<T>& f, int64_t event, int32_t s) {
  if (f.before) return f.scale(event);
  return f.pool == UPS_POOL_MEAN ? mean_scale(f.list[s].total_weight(event)) : T(1);
}

template <class T>
ups_status forward_reference(const Call& call) {
  const MultiDeepSetForward<T> f(call);
  Pieces pieces(call.workspace);
  Scratch<T> scratch(f, pieces);
  for (int64_t event = 0; event < f.events; ++event) {
    std::fill_n(f.y + event * f.width, f.width, T(0));
    for (int32_t s = 0; s < f.lists; ++s) {
      const PooledLayers<T>& set = f.list[s];
      T* y = f.y + event * f.width + f.first_column[s];
      if (is_extreme(f.pool)) {
        if (f.before && s > 0) continue;
        scratch.find_extremes(f, event, s);
        if (scratch.extremes.any) std::copy_n(scratch.extremes.value, set.last_width(), y);
        continue;
      }
      const T scale = scale_of(f, event, s);
      for (int64_t i = set.offsets[event]; i < set.offsets[event + 1]; ++i) {
        const T* h = scratch.row[s].apply(set, i);
        for (int64_t c = 0; c < set.last_width(); ++c) y[c] += scale * set.weight_of(i) * h[c];
      }
    }
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MultiDeepSetBackward<T> f(call);
  Pieces pieces(call.workspace);
  Scratch<T> scratch(f, pieces);
  for (int32_t s = 0; s < f.lists; ++s) clear_gradients(f.list[s], f.to[s]);
  for (int64_t event = 0; event < f.events; ++event) {
    const auto subtract = [&](int32_t s, T of_divisor) {
      const PooledLayers<T>& set = f.list[s];
      if (f.pool != UPS_POOL_MEAN || !f.to[s].dparticle_weights) return;
      for (int64_t i = set.offsets[event]; i < set.offsets[event + 1]; ++i) f.to[s].dparticle_weights[i] -= of_divisor;
    };
    T mean(0);  // of dy . h, weighted
    for (int32_t s = 0; s < f.lists; ++s) {
      const PooledLayers<T>& set = f.list[s];
      const Particle<T>& row = scratch.row[s];
      const Extremes<T>& extremes = scratch.extremes;
      const T* dy = f.dy + event * f.width + f.first_column[s];
      const T scale = scale_of(f, event, s);
      if (is_extreme(f.pool)) scratch.find_extremes(f, event, s);
      if (!f.before) mean = T(0);
      for (int64_t i = set.offsets[event]; i < set.offsets[event + 1]; ++i) {
        const T* h = row.apply(set, i);
        const T weight = set.weight_of(i);
        T product(0);
        for (int64_t c = 0; c < set.last_width(); ++c) {
          product += dy[c] * h[c];
          row.dh[c] = !is_extreme(f.pool)                                  ? dy[c] * (scale * weight)
                      : extremes.particle[c] == i && extremes.kind[c] == s ? dy[c]
                                                                           : T(0);
        }
        if (f.to[s].dparticle_weights) f.to[s].dparticle_weights[i] = scale * product;
        mean += scale * weight * product;
        row.add_gradients(set, f.to[s], i);
      }
      if (!f.before) subtract(s, scale * mean);
    }
    for (int32_t s = 0; f.before && s < f.lists; ++s) subtract(s, f.scale(event) * mean);
  }
  return UPS_OK;
}

const OperationEntry forward{"multi_deep_set_forward",
                             UPS_MULTI_DEEP_SET_FORWARD_SCHEMA,
                             sizeof(ups_multi_deep_set_options),
                             {forward_reference<float>, workspace_reference<float>, multi_deep_set_supports},
                             {forward_reference<double>, workspace_reference<double>, multi_deep_set_supports}};
const OperationEntry backward{
    "multi_deep_set_backward",
    UPS_MULTI_DEEP_SET_BACKWARD_SCHEMA,
    sizeof(ups_multi_deep_set_options),
    {backward_reference<float>, workspace_reference<float>, multi_deep_set_backward_supports},
    {backward_reference<double>, workspace_reference<double>, multi_deep_set_backward_supports}};

constexpr int forward_arguments = multi_deep_set_y + 1;
constexpr int backward_arguments = multi_deep_set_gradient(UPS_MULTI_DEEP_SET_MAX_SETS);

// Too many sets leave none at all, which the gate refuses.
void put_inputs(const ups_multi_deep_set_set* sets, int32_t count, const ups_tensor** tensors) {
  for (int32_t s = 0; sets && s < count && count <= UPS_MULTI_DEEP_SET_MAX_SETS; ++s) {
    const ups_tensor** to = tensors + s * multi_deep_set_inputs;
    to[0] = sets[s].x;
    to[1] = sets[s].offsets;
    to[2] = sets[s].particle_weights;
    put_layers(sets[s].weights, sets[s].biases, to + 3);
  }
}

}  // namespace
}  // namespace upsilon

ups_status ups_multi_deep_set_forward(ups_context* context, const ups_multi_deep_set_set* sets, int32_t count,
                                      ups_tensor* y, const ups_multi_deep_set_options* options) noexcept {
  const ups_tensor* tensors[upsilon::forward_arguments] = {};
  upsilon::put_inputs(sets, count, tensors);
  tensors[upsilon::multi_deep_set_y] = y;
  return upsilon::call(context, upsilon::forward, tensors, options);
}

ups_status ups_multi_deep_set_backward(ups_context* context, const ups_multi_deep_set_set* sets, int32_t count,
                                       const ups_tensor* dy, const ups_multi_deep_set_gradients* gradients,
                                       const ups_multi_deep_set_options* options) noexcept {
  const ups_tensor* tensors[upsilon::backward_arguments] = {};
  upsilon::put_inputs(sets, count, tensors);
  tensors[upsilon::multi_deep_set_y] = dy;
  for (int32_t s = 0; gradients && s < count && count <= UPS_MULTI_DEEP_SET_MAX_SETS; ++s) {
    const ups_tensor** to = tensors + upsilon::multi_deep_set_gradient(s);
    to[0] = gradients[s].dx;
    to[1] = gradients[s].dparticle_weights;
    upsilon::put_layers(gradients[s].dweights, gradients[s].dbiases, to + 2);
  }
  return upsilon::call(context, upsilon::backward, tensors, options);
}
