// A checked call of attention_pool, as plain numbers and pointers.
#pragma once
#include "attention_pool/attention_pool.h"
#include "core/named_call.h"

namespace upsilon {

inline constexpr OperationLine attention_pool_forward_line{"attention_pool_forward", UPS_ATTENTION_POOL_FORWARD_SCHEMA};
using AttentionPoolForwardCall = CallOf<attention_pool_forward_line>;
inline constexpr OperationLine attention_pool_backward_line{"attention_pool_backward",
                                                            UPS_ATTENTION_POOL_BACKWARD_SCHEMA};
using AttentionPoolBackwardCall = CallOf<attention_pool_backward_line>;

// What both directions have.
template <class T>
struct AttentionPool {
  int64_t elements, features, sets;
  const T* x;
  const int32_t* offsets;
  const T *weight, *scores;  // either may be null

  template <NamedCall Named>
  explicit AttentionPool(const Named& call)
      : elements(call.dim("N")), features(call.dim("F")), sets(call.dim("B")), x(call["x"]), offsets(call["offsets"]),
        weight(call["weight"]), scores(call["scores"]) {}
};

template <class T>
struct AttentionPoolForward : AttentionPool<T> {
  T* y;

  explicit AttentionPoolForward(const AttentionPoolForwardCall& call) : AttentionPool<T>(call), y(call["y"]) {}
};

template <class T>
struct AttentionPoolBackward : AttentionPool<T> {
  const T* dy;
  T *dx, *dweight, *dscores;

  explicit AttentionPoolBackward(const AttentionPoolBackwardCall& call)
      : AttentionPool<T>(call), dy(call["dy"]), dx(call["dx"]), dweight(call["dweight"]), dscores(call["dscores"]) {}
};

// No gradient of what is not there.
}  // namespace upsilon
