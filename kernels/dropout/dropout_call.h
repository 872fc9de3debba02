// A checked call of dropout, as plain numbers and pointers. The backward pass does to dy what the forward one does to x.
#pragma once
#include "core/operation.h"
#include "dropout/dropout.h"

namespace upsilon {

template <class T>
struct DropoutCall {
  int64_t count;
  const T* x;
  T* y;
  float p;
  T scale;
  uint64_t seed, stream;

  explicit DropoutCall(const Call& call)
      : count(call.dims[0]), x(call.data<const T>(0)), y(call.data<T>(1)), p(call.option<ups_dropout_options>().p),
        scale(p < 1 ? static_cast<T>(1 / (1 - static_cast<double>(p))) : T(0)),
        seed(call.option<ups_dropout_options>().seed), stream(call.option<ups_dropout_options>().stream) {}
};

inline bool dropout_supports(const Call& call) {
  const float p = call.option<ups_dropout_options>().p;
  return p >= 0 && p <= 1;
}

}  // namespace upsilon
