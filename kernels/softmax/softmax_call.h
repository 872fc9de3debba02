// A checked call of softmax, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "softmax/softmax.h"

namespace upsilon {

inline constexpr OperationLine softmax_forward_line{"softmax_forward", UPS_SOFTMAX_FORWARD_SCHEMA};
using SoftmaxForwardCall = CallOf<softmax_forward_line>;
inline constexpr OperationLine softmax_backward_line{"softmax_backward", UPS_SOFTMAX_BACKWARD_SCHEMA};
using SoftmaxBackwardCall = CallOf<softmax_backward_line>;

template <class T>
struct SoftmaxForward {
  int64_t rows, features;
  const T* x;
  T* y;

  explicit SoftmaxForward(const SoftmaxForwardCall& call)
      : rows(call.dim("...")), features(call.dim("F")), x(call["x"]), y(call["y"]) {}
};

template <class T>
struct SoftmaxBackward {
  int64_t rows, features;
  const T *y, *dy;
  T* dx;

  explicit SoftmaxBackward(const SoftmaxBackwardCall& call)
      : rows(call.dim("...")), features(call.dim("F")), y(call["y"]), dy(call["dy"]), dx(call["dx"]) {}
};

}  // namespace upsilon
