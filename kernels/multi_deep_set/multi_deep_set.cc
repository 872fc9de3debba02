// Reference: the definition, in plain loops, event by event.
#include "multi_deep_set/multi_deep_set.h"

#include <initializer_list>

#include "lib/dense/layer_validity.h"
#include "lib/segments/pool_validity.h"
#include "multi_deep_set/multi_deep_set_call.h"

namespace upsilon {
namespace {

template <class T>
struct Scratch {
  Particle<T> row[UPS_MULTI_DEEP_SET_MAX_SETS];
  Extremes<T> extremes;

  Scratch(const MultiDeepSet<T>& f, WorkspaceLayout& workspace)
      : row{{f.list[0], workspace}, {f.list[1], workspace}, {f.list[2], workspace}, {f.list[3], workspace},
            {f.list[4], workspace}, {f.list[5], workspace}, {f.list[6], workspace}, {f.list[7], workspace}},
        extremes(f.width, workspace) {}

  // The extremes of set `s`, or of all sets where they are pooled together.
  void find_extremes(const MultiDeepSet<T>& f, int64_t event, int32_t s) {
    extremes.any = false;
    for (int32_t other = f.before ? 0 : s; other < (f.before ? f.lists : s + 1); ++other)
      extremes.take(f.list[other], row[other], event, other);
  }
};

template <class T>
T scale_of(const MultiDeepSet<T>& f, int64_t event, int32_t s) {
  if (f.before) return f.scale(event);
  return f.pool == UPS_POOL_MEAN ? mean_scale(f.list[s].total_weight(event)) : T(1);
}

template <class T>
ups_status forward_reference(const Call& call) {
  const MultiDeepSetForward<T> f(call);
  auto scratch = scratch_of<Scratch<T>>(call, f);
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
  auto scratch = scratch_of<Scratch<T>>(call, f);
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

// Sets from 0 on without gaps, each with offsets and a network, whose widths make the width of y.
template <class Named>
void validate_sets(const Named& call, RefusalOf<Named>& refuse, SchemaName<Named::operation> pooled) {
  const MultiDeepSet<float> f(call);
  for (int s = 1; s < UPS_MULTI_DEEP_SET_MAX_SETS; ++s) refuse.place_given_without("x#", 0, s, "x#", 0, s - 1);
  refuse.each_given_without("x#", "offsets#");
  refuse.each_given_without("offsets#", "x#");
  refuse.each_given_without("particle_weights#", "x#");
  int64_t sum = 0;
  for (int s = 0; s < UPS_MULTI_DEEP_SET_MAX_SETS; ++s) {
    refuse.place_given_without("x#", 0, s, "phi#_weight#", s, 0);
    refuse.place_given_without("phi#_weight#", s, 0, "x#", 0, s);
    refuse_gaps_of_layers(refuse, "phi#_weight#", "phi#_bias#", s);
    if (is_extreme(f.pool) && call.list("particle_weights#").given(s))
      refuse.at("particle_weights#", s, weighted_extreme_text(refuse));
    if (s >= f.lists || refuse.has_refused()) continue;
    const int64_t width = f.list[s].last_width();
    if (f.before && width != f.width)
      refuse(pooled,
             format("has %lld columns but the network of %s makes %lld", static_cast<long long>(f.width),
                    named(refuse.name_of("x#", s)).c_str(), static_cast<long long>(width)),
             UPS_SHAPE);
    sum += width;
  }
  if (!f.before && !refuse.has_refused() && sum != f.width)
    refuse(pooled,
           format("has %lld columns but the networks make %lld", static_cast<long long>(f.width),
                  static_cast<long long>(sum)),
           UPS_SHAPE);
}
void validate(const MultiDeepSetForwardCall& call, RefusalOf<MultiDeepSetForwardCall>& refuse) {
  validate_sets(call, refuse, "y");
}
void validate_backward(const MultiDeepSetBackwardCall& call, RefusalOf<MultiDeepSetBackwardCall>& refuse) {
  validate_sets(call, refuse, "dy");
  refuse.each_given_without("dx#", "x#");
  refuse.each_given_without("dparticle_weights#", "particle_weights#");
  for (int s = 0; s < UPS_MULTI_DEEP_SET_MAX_SETS; ++s) {
    refuse.each_given_without("dphi#_weight#", "phi#_weight#", s);
    refuse.each_given_without("dphi#_bias#", "phi#_weight#", s);
  }
}

const OperationOf<MultiDeepSetForwardCall> forward{
    {forward_reference<float>, workspace_of<MultiDeepSetForward<float>, Scratch<float>>},
    {forward_reference<double>, workspace_of<MultiDeepSetForward<double>, Scratch<double>>},
    validated_by<validate>};
const OperationOf<MultiDeepSetBackwardCall> backward{
    {backward_reference<float>, workspace_of<MultiDeepSetBackward<float>, Scratch<float>>},
    {backward_reference<double>, workspace_of<MultiDeepSetBackward<double>, Scratch<double>>},
    validated_by<validate_backward>};

// Too many sets leave none at all, which the gate refuses.
bool fits(int32_t count) { return count <= UPS_MULTI_DEEP_SET_MAX_SETS; }

template <class Arguments>
void put_inputs(const ups_multi_deep_set_set* sets, int32_t count, Arguments& to) {
  for (int32_t s = 0; sets && s < count && fits(count); ++s) {
    to.put("x#", s, sets[s].x);
    to.put("offsets#", s, sets[s].offsets);
    to.put("particle_weights#", s, sets[s].particle_weights);
    to.put("phi#_weight#", sets[s].weights, s);
    to.put("phi#_bias#", sets[s].biases, s);
  }
}

}  // namespace
}  // namespace upsilon

ups_status ups_multi_deep_set_forward(ups_context* context, const ups_multi_deep_set_set* sets, int32_t count,
                                      ups_tensor* y, const ups_multi_deep_set_options* options) noexcept {
  upsilon::MultiDeepSetForwardCall::Arguments to;
  upsilon::put_inputs(sets, count, to);
  to["y"] = y;
  return upsilon::call(context, upsilon::forward, to.tensors, options);
}

ups_status ups_multi_deep_set_backward(ups_context* context, const ups_multi_deep_set_set* sets, int32_t count,
                                       const ups_tensor* dy, const ups_multi_deep_set_gradients* gradients,
                                       const ups_multi_deep_set_options* options) noexcept {
  upsilon::MultiDeepSetBackwardCall::Arguments to;
  upsilon::put_inputs(sets, count, to);
  to["dy"] = dy;
  for (int32_t s = 0; gradients && s < count && upsilon::fits(count); ++s) {
    to.put("dx#", s, gradients[s].dx);
    to.put("dparticle_weights#", s, gradients[s].dparticle_weights);
    to.put("dphi#_weight#", gradients[s].dweights, s);
    to.put("dphi#_bias#", gradients[s].dbiases, s);
  }
  return upsilon::call(context, upsilon::backward, to.tensors, options);
}
