// A checked call of random, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "random/random.h"

namespace upsilon {

template <class T>
struct RandomCall {
  int64_t count;
  T* y;
  uint64_t seed, stream;

  explicit RandomCall(const Call& call)
      : count(call.dims[0]), y(call.data<T>(0)), seed(call.option<ups_random_options>().seed),
        stream(call.option<ups_random_options>().stream) {}
};

}  // namespace upsilon
