// A checked call of segment_softmax, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "segment_softmax/segment_softmax.h"

namespace upsilon {

inline constexpr OperationLine segment_softmax_forward_line{"segment_softmax_forward",
                                                            UPS_SEGMENT_SOFTMAX_FORWARD_SCHEMA};
using SegmentSoftmaxForwardCall = CallOf<segment_softmax_forward_line>;
inline constexpr OperationLine segment_softmax_backward_line{"segment_softmax_backward",
                                                             UPS_SEGMENT_SOFTMAX_BACKWARD_SCHEMA};
using SegmentSoftmaxBackwardCall = CallOf<segment_softmax_backward_line>;

template <class T>
struct SegmentSoftmaxForward {
  int64_t elements, columns, sets;
  const T* x;
  const int32_t* offsets;
  T* y;

  explicit SegmentSoftmaxForward(const SegmentSoftmaxForwardCall& call)
      : elements(call.dim("N")), columns(call.dim("C")), sets(call.dim("B")), x(call["x"]), offsets(call["offsets"]),
        y(call["y"]) {}
  T* result() const { return y; }
};

template <class T>
struct SegmentSoftmaxBackward {
  int64_t elements, columns, sets;
  const int32_t* offsets;
  const T *y, *dy;
  T* dx;

  explicit SegmentSoftmaxBackward(const SegmentSoftmaxBackwardCall& call)
      : elements(call.dim("N")), columns(call.dim("C")), sets(call.dim("B")), offsets(call["offsets"]), y(call["y"]),
        dy(call["dy"]), dx(call["dx"]) {}
  T* result() const { return dx; }
};

}  // namespace upsilon
