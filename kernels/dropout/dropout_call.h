// A checked call of dropout, as plain numbers and pointers. The backward pass does to dy what the
// forward one does to x.
#pragma once
#include "lib/math/keep.h"
#include "core/named_call.h"
#include "dropout/dropout.h"

namespace upsilon {

inline constexpr OperationLine dropout_forward_line{"dropout_forward", UPS_DROPOUT_FORWARD_SCHEMA};
using DropoutForwardCall = CallOf<dropout_forward_line, ups_dropout_options>;
inline constexpr OperationLine dropout_backward_line{"dropout_backward", UPS_DROPOUT_BACKWARD_SCHEMA};
using DropoutBackwardCall = CallOf<dropout_backward_line, ups_dropout_options>;

template <class T>
struct DropoutCall {
  int64_t count;
  const T* x;
  T* y;
  Keep<T> keep;

  explicit DropoutCall(const DropoutForwardCall& call) : DropoutCall(call, call["x"], call["y"]) {}
  explicit DropoutCall(const DropoutBackwardCall& call) : DropoutCall(call, call["dy"], call["dx"]) {}

 private:
  template <class Named>
  DropoutCall(const Named& call, const T* x_, T* y_)
      : count(call.dim("...")), x(x_), y(y_), keep{call.options().p, call.options().seed, call.options().stream} {}
};

}  // namespace upsilon
