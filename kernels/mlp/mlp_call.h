// A checked call of mlp, as plain numbers and pointers.
#pragma once
#include "lib/dense/layers.h"
#include "mlp/mlp.h"

namespace upsilon {

static_assert(UPS_MLP_MAX_LAYERS == max_layers);

// What forward and backward have in common.
template <class T>
struct MlpLayers : Layers<T> {
  int64_t rows;
  const T* x;

  explicit MlpLayers(const Call& call)
      : Layers<T>(call, call.dims[1], 1, 2, call.option<ups_mlp_options>().activation), rows(call.dims[0]),
        x(call.data<const T>(0)) {}
};

template <class T>
struct MlpForward : MlpLayers<T> {
  T* y;

  explicit MlpForward(const Call& call) : MlpLayers<T>(call), y(call.data<T>(9)) {}
};

template <class T>
struct MlpBackward : MlpLayers<T>, LayerGradients<T> {
  const T* dy;
  T* dx;

  explicit MlpBackward(const Call& call)
      : MlpLayers<T>(call), LayerGradients<T>(call, 11), dy(call.data<const T>(9)), dx(call.data<T>(10)) {}
};

inline bool mlp_supports(const Call& call) { return layers_are_whole(call, 1); }
inline bool mlp_backward_supports(const Call& call) {
  return layers_are_whole(call, 1) && gradients_have_layers(call, 1, 11);
}

}  // namespace upsilon
