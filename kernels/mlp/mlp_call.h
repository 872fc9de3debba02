// A checked call of mlp, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/dense/layers.h"
#include "mlp/mlp.h"

namespace upsilon {

inline constexpr OperationLine mlp_forward_line{"mlp_forward", UPS_MLP_FORWARD_SCHEMA};
using MlpForwardCall = CallOf<mlp_forward_line, ups_mlp_options>;
inline constexpr OperationLine mlp_backward_line{"mlp_backward", UPS_MLP_BACKWARD_SCHEMA};
using MlpBackwardCall = CallOf<mlp_backward_line, ups_mlp_options>;

static_assert(UPS_MLP_MAX_LAYERS == max_layers);

// What forward and backward have in common.
template <class T>
struct MlpLayers : Layers<T> {
  int64_t rows;
  const T* x;

  template <NamedCall Named>
  explicit MlpLayers(const Named& call) : Layers<T>(call, call.dim("K")), rows(call.dim("...")), x(call["x"]) {}
};

template <class T>
struct MlpForward : MlpLayers<T> {
  T* y;

  explicit MlpForward(const MlpForwardCall& call) : MlpLayers<T>(call), y(call["y"]) {}
};

template <class T>
struct MlpBackward : MlpLayers<T>, LayerGradients<T> {
  const T* dy;
  T* dx;

  explicit MlpBackward(const MlpBackwardCall& call)
      : MlpLayers<T>(call), LayerGradients<T>(call), dy(call["dy"]), dx(call["dx"]) {}
};

}  // namespace upsilon
