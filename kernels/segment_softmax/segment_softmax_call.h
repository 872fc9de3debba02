// A checked call of segment_softmax, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "segment_softmax/segment_softmax.h"

namespace upsilon {

template <class T>
struct SegmentSoftmaxForward {
  int64_t elements, columns, sets;
  const T* x;
  const int32_t* offsets;
  T* y;

  explicit SegmentSoftmaxForward(const Call& call)
      : elements(call.dims[0]), columns(call.dims[1]), sets(call.dims[2]), x(call.data<const T>(0)),
        offsets(call.data<const int32_t>(1)), y(call.data<T>(2)) {}
  T* result() const { return y; }
};

template <class T>
struct SegmentSoftmaxBackward {
  int64_t elements, columns, sets;
  const int32_t* offsets;
  const T *y, *dy;
  T* dx;

  // The dimensions in order of first appearance: B, N, C.
  explicit SegmentSoftmaxBackward(const Call& call)
      : elements(call.dims[1]), columns(call.dims[2]), sets(call.dims[0]), offsets(call.data<const int32_t>(0)),
        y(call.data<const T>(1)), dy(call.data<const T>(2)), dx(call.data<T>(3)) {}
  T* result() const { return dx; }
};

}  // namespace upsilon
