// A checked call of set_pool, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "set_pool/set_pool.h"

namespace upsilon {

template <class T>
struct SetPoolForward {
  int64_t elements, channels, sets;
  const T* x;
  const int32_t* offsets;
  T* y;
  int32_t pool;

  explicit SetPoolForward(const Call& call)
      : elements(call.dims[0]), channels(call.dims[1]), sets(call.dims[2]), x(call.data<const T>(0)),
        offsets(call.data<const int32_t>(1)), y(call.data<T>(2)), pool(call.option<ups_set_pool_options>().pool) {}
};

template <class T>
struct SetPoolBackward {
  int64_t elements, channels, sets;
  const T* x;  // null for sum and mean, if the caller left it out
  const int32_t* offsets;
  const T* dy;
  T* dx;
  int32_t pool;

  explicit SetPoolBackward(const Call& call)
      : elements(call.dims[0]), channels(call.dims[1]), sets(call.dims[2]), x(call.data<const T>(0)),
        offsets(call.data<const int32_t>(1)), dy(call.data<const T>(2)), dx(call.data<T>(3)),
        pool(call.option<ups_set_pool_options>().pool) {}
};

inline bool is_extreme(int32_t pool) { return pool == UPS_POOL_MAX || pool == UPS_POOL_MIN; }

// The extreme element is looked for in x.
inline bool set_pool_backward_supports(const Call& call) {
  return call.given(0) || !is_extreme(call.option<ups_set_pool_options>().pool);
}

}  // namespace upsilon
