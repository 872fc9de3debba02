// A checked call of multi_deep_set, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/dense/pooled_layers.h"
#include "multi_deep_set/multi_deep_set.h"

namespace upsilon {

inline constexpr OperationLine multi_deep_set_forward_line{"multi_deep_set_forward", UPS_MULTI_DEEP_SET_FORWARD_SCHEMA};
using MultiDeepSetForwardCall = CallOf<multi_deep_set_forward_line, ups_multi_deep_set_options>;
inline constexpr OperationLine multi_deep_set_backward_line{"multi_deep_set_backward",
                                                            UPS_MULTI_DEEP_SET_BACKWARD_SCHEMA};
using MultiDeepSetBackwardCall = CallOf<multi_deep_set_backward_line, ups_multi_deep_set_options>;

static_assert(UPS_MULTI_DEEP_SET_MAX_LAYERS == max_layers);

template <class T>
struct MultiDeepSet {
  int32_t lists = 0;  // of sets
  int64_t events, width;
  PooledLayers<T> list[UPS_MULTI_DEEP_SET_MAX_SETS];
  int64_t first_column[UPS_MULTI_DEEP_SET_MAX_SETS];  // of y
  int32_t pool;
  bool before;  // whether all are pooled together

  template <NamedCall Named>
  explicit MultiDeepSet(const Named& call) : events(call.dim("B")), width(call.dim("W")) {
    const auto& options = call.options();
    pool = options.pool;
    before = options.fuse == UPS_FUSE_BEFORE;
    const ArgumentList x = call.list("x#"), offsets = call.list("offsets#");
    const ArgumentList particle_weights = call.list("particle_weights#");
    const ArgumentList weights = call.list("phi#_weight#"), biases = call.list("phi#_bias#");
    const DimensionList particles = call.dims("N#"), inputs = call.dims("K#"), outputs = call.dims("M#_#");
    int64_t column = 0;
    for (; lists < UPS_MULTI_DEEP_SET_MAX_SETS && x.given(lists); ++lists) {
      const Layers<T> phi(inputs[lists], outputs.row(lists), weights.row(lists), biases.row(lists),
                          options.activation[lists]);
      list[lists] =
          PooledLayers<T>(phi, particles[lists], events, x[lists], offsets[lists], particle_weights[lists], pool);
      first_column[lists] = before ? 0 : column;
      column += phi.last_width();
    }
  }

  // What the sum over an event's particles is multiplied with, where all sets are pooled together.
  T scale(int64_t event) const {
    T total(0);
    for (int32_t s = 0; s < lists; ++s) total += list[s].total_weight(event);
    return pool == UPS_POOL_MEAN ? mean_scale(total) : T(1);
  }
};

template <class T>
struct MultiDeepSetForward : MultiDeepSet<T> {
  T* y;

  explicit MultiDeepSetForward(const MultiDeepSetForwardCall& call) : MultiDeepSet<T>(call), y(call["y"]) {}
};

template <class T>
struct MultiDeepSetBackward : MultiDeepSet<T> {
  const T* dy;
  PooledLayersGradients<T> to[UPS_MULTI_DEEP_SET_MAX_SETS];

  explicit MultiDeepSetBackward(const MultiDeepSetBackwardCall& call) : MultiDeepSet<T>(call), dy(call["dy"]) {
    const ArgumentList dx = call.list("dx#"), dparticle_weights = call.list("dparticle_weights#");
    const ArgumentList dweights = call.list("dphi#_weight#"), dbiases = call.list("dphi#_bias#");
    for (int32_t s = 0; s < this->lists; ++s)
      to[s] = PooledLayersGradients<T>(LayerGradients<T>(dweights.row(s), dbiases.row(s)), dx[s], dparticle_weights[s]);
  }

  // Whether a divisor that all sets share has a gradient.
  bool shares_divisor() const {
    bool any = false;
    for (int32_t s = 0; s < this->lists; ++s) any |= to[s].dparticle_weights != nullptr;
    return any && this->before && this->pool == UPS_POOL_MEAN;
  }
};

}  // namespace upsilon
