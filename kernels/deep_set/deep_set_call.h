// A checked call of deep_set, as plain numbers and pointers.
#pragma once
#include "lib/dense/pooled_layers.h"
#include "deep_set/deep_set.h"

namespace upsilon {

static_assert(UPS_DEEP_SET_MAX_LAYERS == max_layers);

// What forward and backward have in common.
template <class T>
struct DeepSet : PooledLayers<T> {
  explicit DeepSet(const Call& call)
      : PooledLayers<T>(call, 0, call.dims[0], call.dims[1], call.dims[2], 3,
                        call.option<ups_deep_set_options>().activation, call.option<ups_deep_set_options>().pool) {}

  // What a set's sum is multiplied with.
  T scale(int64_t set) const { return this->pool == UPS_POOL_MEAN ? mean_scale(this->total_weight(set)) : T(1); }
};

template <class T>
struct DeepSetForward : DeepSet<T> {
  T* y;

  explicit DeepSetForward(const Call& call) : DeepSet<T>(call), y(call.data<T>(11)) {}
};

template <class T>
struct DeepSetBackward : DeepSet<T>, PooledLayersGradients<T> {
  const T* dy;

  explicit DeepSetBackward(const Call& call)
      : DeepSet<T>(call), PooledLayersGradients<T>(call, 12), dy(call.data<const T>(11)) {}
};

inline bool deep_set_supports(const Call& call) {
  return pooled_layers_are_whole(call, 0, call.option<ups_deep_set_options>().pool);
}
inline bool deep_set_backward_supports(const Call& call) {
  return deep_set_supports(call) && pooled_gradients_have_layers(call, 0, 12);
}

}  // namespace upsilon
