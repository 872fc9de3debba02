// A checked call of attention_pool, as plain numbers and pointers.
#pragma once
#include "attention_pool/attention_pool.h"
#include "core/operation.h"

namespace upsilon {

// What both directions have.
template <class T>
struct AttentionPool {
  int64_t elements, features, sets;
  const T* x;
  const int32_t* offsets;
  const T *weight, *scores;  // either may be null

  explicit AttentionPool(const Call& call)
      : elements(call.dims[0]), features(call.dims[1]), sets(call.dims[2]), x(call.data<const T>(0)),
        offsets(call.data<const int32_t>(1)), weight(call.data<const T>(2)), scores(call.data<const T>(3)) {}
};

template <class T>
struct AttentionPoolForward : AttentionPool<T> {
  T* y;

  explicit AttentionPoolForward(const Call& call) : AttentionPool<T>(call), y(call.data<T>(4)) {}
};

template <class T>
struct AttentionPoolBackward : AttentionPool<T> {
  const T* dy;
  T *dx, *dweight, *dscores;

  explicit AttentionPoolBackward(const Call& call)
      : AttentionPool<T>(call), dy(call.data<const T>(4)), dx(call.data<T>(5)), dweight(call.data<T>(6)),
        dscores(call.data<T>(7)) {}
};

// No gradient of what is not there.
inline bool attention_pool_backward_supports(const Call& call) {
  return (call.given(2) || !call.given(6)) && (call.given(3) || !call.given(7));
}

}  // namespace upsilon
