// A checked call of linear, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "linear/linear.h"

namespace upsilon {

inline constexpr OperationLine linear_forward_line{"linear_forward", UPS_LINEAR_FORWARD_SCHEMA};
using LinearForwardCall = CallOf<linear_forward_line, ups_linear_options>;
inline constexpr OperationLine linear_backward_line{"linear_backward", UPS_LINEAR_BACKWARD_SCHEMA};
using LinearBackwardCall = CallOf<linear_backward_line, ups_linear_options>;

template <class T>
struct LinearForward {
  int64_t rows, inputs, outputs;
  const T *x, *weight, *bias;
  T* y;
  int32_t activation;

  explicit LinearForward(const LinearForwardCall& call)
      : rows(call.dim("...")), inputs(call.dim("K")), outputs(call.dim("M")), x(call["x"]), weight(call["weight"]),
        bias(call["bias"]), y(call["y"]), activation(call.options().activation) {}
};

template <class T>
struct LinearBackward {
  int64_t rows, inputs, outputs;
  const T *x, *weight, *bias, *y, *dy;
  T *dx, *dweight, *dbias;
  int32_t activation;

  explicit LinearBackward(const LinearBackwardCall& call)
      : rows(call.dim("...")), inputs(call.dim("K")), outputs(call.dim("M")), x(call["x"]), weight(call["weight"]),
        bias(call["bias"]), y(call["y"]), dy(call["dy"]), dx(call["dx"]), dweight(call["dweight"]),
        dbias(call["dbias"]), activation(call.options().activation) {}
};

}  // namespace upsilon
