// A checked call of dropout, as plain numbers and pointers. The backward pass does to dy what the forward one does to x.
#pragma once
#include "lib/math/keep.h"
#include "core/operation.h"
#include "dropout/dropout.h"

namespace upsilon {

template <class T>
struct DropoutCall {
  int64_t count;
  const T* x;
  T* y;
  Keep<T> keep;

  explicit DropoutCall(const Call& call)
      : count(call.dims[0]), x(call.data<const T>(0)), y(call.data<T>(1)), keep(keep_of(call)) {}
  static Keep<T> keep_of(const Call& call) {
    const auto options = call.option<ups_dropout_options>();
    return {options.p, options.seed, options.stream};
  }
};

inline bool dropout_supports(const Call& call) {
  const float p = call.option<ups_dropout_options>().p;
  return p >= 0 && p <= 1;
}

}  // namespace upsilon
