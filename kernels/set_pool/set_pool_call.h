// A checked call of set_pool, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/segments/pool.h"
#include "set_pool/set_pool.h"

namespace upsilon {

inline constexpr OperationLine set_pool_forward_line{"set_pool_forward", UPS_SET_POOL_FORWARD_SCHEMA};
using SetPoolForwardCall = CallOf<set_pool_forward_line, ups_set_pool_options>;
inline constexpr OperationLine set_pool_backward_line{"set_pool_backward", UPS_SET_POOL_BACKWARD_SCHEMA};
using SetPoolBackwardCall = CallOf<set_pool_backward_line, ups_set_pool_options>;

// What both directions have.
template <class T>
struct SetPool {
  int64_t elements, channels, sets;
  const T* x;  // null for sum and mean backward, if the caller left it out
  const int32_t* offsets;
  const T* weights;  // or null
  int32_t pool;

  template <NamedCall Named>
  explicit SetPool(const Named& call)
      : elements(call.dim("N")), channels(call.dim("C")), sets(call.dim("B")), x(call["x"]), offsets(call["offsets"]),
        weights(call["weights"]), pool(call.options().pool) {}
};

template <class T>
struct SetPoolForward : SetPool<T> {
  T* y;

  explicit SetPoolForward(const SetPoolForwardCall& call) : SetPool<T>(call), y(call["y"]) {}
};

template <class T>
struct SetPoolBackward : SetPool<T> {
  const T* dy;
  T *dx, *dweights;

  explicit SetPoolBackward(const SetPoolBackwardCall& call)
      : SetPool<T>(call), dy(call["dy"]), dx(call["dx"]), dweights(call["dweights"]) {}
};

// An extreme of weighted elements would have two meanings.
}  // namespace upsilon
