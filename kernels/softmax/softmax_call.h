// A checked call of softmax, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "softmax/softmax.h"

namespace upsilon {

template <class T>
struct SoftmaxForward {
  int64_t rows, features;
  const T* x;
  T* y;

  explicit SoftmaxForward(const Call& call)
      : rows(call.dims[0]), features(call.dims[1]), x(call.data<const T>(0)), y(call.data<T>(1)) {}
};

template <class T>
struct SoftmaxBackward {
  int64_t rows, features;
  const T *y, *dy;
  T* dx;

  explicit SoftmaxBackward(const Call& call)
      : rows(call.dims[0]), features(call.dims[1]), y(call.data<const T>(0)), dy(call.data<const T>(1)),
        dx(call.data<T>(2)) {}
};

}  // namespace upsilon
