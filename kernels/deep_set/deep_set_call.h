// A checked call of deep_set, as plain numbers and pointers.
#pragma once
#include "common/layers.h"
#include "deep_set/deep_set.h"
#include "set_pool/set_pool_call.h"

namespace upsilon {

static_assert(UPS_DEEP_SET_MAX_LAYERS == UPS_MLP_MAX_LAYERS);

// What forward and backward have in common.
template <class T>
struct DeepSet : Layers<T> {
  int64_t particles, sets;
  const T* x;
  const int32_t* offsets;
  const T* particle_weights;  // or null
  int32_t pool;

  explicit DeepSet(const Call& call)
      : Layers<T>(call, call.dims[1], 3, 3, call.option<ups_deep_set_options>().activation), particles(call.dims[0]),
        sets(call.dims[2]), x(call.data<const T>(0)), offsets(call.data<const int32_t>(1)),
        particle_weights(call.data<const T>(2)), pool(call.option<ups_deep_set_options>().pool) {}

  // What a set's sum is multiplied with.
  T scale(int64_t set) const {
    const int64_t begin = offsets[set], end = offsets[set + 1];
    if (pool != UPS_POOL_MEAN || begin == end) return T(1);
    if (!particle_weights) return T(1) / static_cast<T>(end - begin);
    T total(0);
    for (int64_t i = begin; i < end; ++i) total += particle_weights[i];
    return total == T(0) ? T(0) : T(1) / total;
  }
};

template <class T>
struct DeepSetForward : DeepSet<T> {
  T* y;

  explicit DeepSetForward(const Call& call) : DeepSet<T>(call), y(call.data<T>(11)) {}
};

template <class T>
struct DeepSetBackward : DeepSet<T>, LayerGradients<T> {
  const T* dy;
  T *dx, *dparticle_weights;

  explicit DeepSetBackward(const Call& call)
      : DeepSet<T>(call), LayerGradients<T>(call, 14), dy(call.data<const T>(11)), dx(call.data<T>(12)),
        dparticle_weights(call.data<T>(13)) {}
};

// An extreme of weighted elements would have two meanings.
inline bool deep_set_supports(const Call& call) {
  return layers_are_whole(call, 3) && !(call.given(2) && is_extreme(call.option<ups_deep_set_options>().pool));
}
inline bool deep_set_backward_supports(const Call& call) {
  return deep_set_supports(call) && gradients_have_layers(call, 3, 14) && (call.given(2) || !call.given(13));
}

}  // namespace upsilon
