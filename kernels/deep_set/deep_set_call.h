// A checked call of deep_set, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/dense/pooled_layers.h"
#include "deep_set/deep_set.h"

namespace upsilon {

inline constexpr OperationLine deep_set_forward_line{"deep_set_forward", UPS_DEEP_SET_FORWARD_SCHEMA};
using DeepSetForwardCall = CallOf<deep_set_forward_line, ups_deep_set_options>;
inline constexpr OperationLine deep_set_backward_line{"deep_set_backward", UPS_DEEP_SET_BACKWARD_SCHEMA};
using DeepSetBackwardCall = CallOf<deep_set_backward_line, ups_deep_set_options>;

static_assert(UPS_DEEP_SET_MAX_LAYERS == max_layers);

// What forward and backward have in common.
template <class T>
struct DeepSet : PooledLayers<T> {
  template <NamedCall Named>
  explicit DeepSet(const Named& call)
      : PooledLayers<T>(Layers<T>(call, call.dim("K")), call.dim("N"), call.dim("B"), call["x"], call["offsets"],
                        call["particle_weights"], call.options().pool) {}

  // What a set's sum is multiplied with.
  T scale(int64_t set) const { return this->pool == UPS_POOL_MEAN ? mean_scale(this->total_weight(set)) : T(1); }
};

template <class T>
struct DeepSetForward : DeepSet<T> {
  T* y;

  explicit DeepSetForward(const DeepSetForwardCall& call) : DeepSet<T>(call), y(call["y"]) {}
};

template <class T>
struct DeepSetBackward : DeepSet<T>, PooledLayersGradients<T> {
  const T* dy;

  explicit DeepSetBackward(const DeepSetBackwardCall& call)
      : DeepSet<T>(call), PooledLayersGradients<T>(LayerGradients<T>(call), call["dx"], call["dparticle_weights"]),
        dy(call["dy"]) {}
};

// An extreme of weighted elements would have two meanings.
}  // namespace upsilon
