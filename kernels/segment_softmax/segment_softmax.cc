// Reference: the definition, in plain loops.
#include "segment_softmax/segment_softmax.h"

#include "lib/math/softmax.h"
#include "segment_softmax/segment_softmax_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const SegmentSoftmaxForward<T> f(call);
  std::fill_n(f.y, f.elements * f.columns, T(0));
  for (int64_t set = 0; set < f.sets; ++set)
    for (int64_t c = 0; c < f.columns; ++c) {
      const int64_t begin = f.offsets[set], at = begin * f.columns + c;
      softmax_of(f.x + at, f.offsets[set + 1] - begin, f.columns, f.y + at);
    }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const SegmentSoftmaxBackward<T> f(call);
  std::fill_n(f.dx, f.elements * f.columns, T(0));
  for (int64_t set = 0; set < f.sets; ++set)
    for (int64_t c = 0; c < f.columns; ++c) {
      const int64_t begin = f.offsets[set], at = begin * f.columns + c;
      softmax_gradient_of(f.y + at, f.dy + at, f.offsets[set + 1] - begin, f.columns, f.dx + at);
    }
  return UPS_OK;
}

const OperationOf<SegmentSoftmaxForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<SegmentSoftmaxBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_segment_softmax_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                       ups_tensor* y) noexcept {
  return upsilon::call(context, upsilon::forward, {x, offsets, y}, nullptr);
}

ups_status ups_segment_softmax_backward(ups_context* context, const ups_tensor* offsets, const ups_tensor* y,
                                        const ups_tensor* dy, ups_tensor* dx) noexcept {
  return upsilon::call(context, upsilon::backward, {offsets, y, dy, dx}, nullptr);
}
