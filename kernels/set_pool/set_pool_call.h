// A checked call of set_pool, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "lib/segments/pool.h"
#include "set_pool/set_pool.h"

namespace upsilon {

// What both directions have.
template <class T>
struct SetPool {
  int64_t elements, channels, sets;
  const T* x;  // null for sum and mean backward, if the caller left it out
  const int32_t* offsets;
  const T* weights;  // or null
  int32_t pool;

  explicit SetPool(const Call& call)
      : elements(call.dims[0]), channels(call.dims[1]), sets(call.dims[2]), x(call.data<const T>(0)),
        offsets(call.data<const int32_t>(1)), weights(call.data<const T>(2)),
        pool(call.option<ups_set_pool_options>().pool) {}
};

template <class T>
struct SetPoolForward : SetPool<T> {
  T* y;

  explicit SetPoolForward(const Call& call) : SetPool<T>(call), y(call.data<T>(3)) {}
};

template <class T>
struct SetPoolBackward : SetPool<T> {
  const T* dy;
  T *dx, *dweights;

  explicit SetPoolBackward(const Call& call)
      : SetPool<T>(call), dy(call.data<const T>(3)), dx(call.data<T>(4)), dweights(call.data<T>(5)) {}
};

// An extreme of weighted elements would have two meanings.
inline bool set_pool_supports(const Call& call) {
  return !(call.given(2) && is_extreme(call.option<ups_set_pool_options>().pool));
}
// The extreme element is looked for in x, and the gradients of weights are products with it.
inline bool set_pool_backward_supports(const Call& call) {
  if (call.given(5) && !(call.given(0) && call.given(2))) return false;
  return set_pool_supports(call) && (call.given(0) || !is_extreme(call.option<ups_set_pool_options>().pool));
}

}  // namespace upsilon
