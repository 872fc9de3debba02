// Reference: the definition, in plain loops.
#include "histogram/histogram.h"

#include "histogram/histogram_call.h"

namespace upsilon {
namespace {

template <class T, int axes>
ups_status forward_reference(const Call& call) {
  const HistogramForward<T, axes> f(call);
  clear(f.counts, f.cells);
  clear(f.squares, f.cells);
  for (int64_t i = 0; i < f.elements; ++i)
    f.each_part(i, [&](int64_t cell, double share, const double*) {
      const double part = f.weight(i) * share;
      if (f.counts) f.counts[cell] += part;
      if (f.squares) f.squares[cell] += part * part;
    });
  return UPS_OK;
}

template <class T, int axes>
ups_status backward_reference(const Call& call) {
  const HistogramBackward<T, axes> f(call);
  for (int64_t i = 0; i < f.elements; ++i) f.differentiate(i);
  return UPS_OK;
}

const OperationOf<HistogramForwardCall> forward{{forward_reference<float, 1>}, {forward_reference<double, 1>}};
const OperationOf<HistogramBackwardCall> backward{{backward_reference<float, 1>}, {backward_reference<double, 1>}};
const OperationOf<Histogram2dForwardCall> forward_2d{{forward_reference<float, 2>}, {forward_reference<double, 2>}};
const OperationOf<Histogram2dBackwardCall> backward_2d{{backward_reference<float, 2>}, {backward_reference<double, 2>}};

}  // namespace
}  // namespace upsilon

ups_status ups_histogram_forward(ups_context* context, const ups_tensor* x, const ups_tensor* edges,
                                 const ups_tensor* weights, ups_tensor* counts, ups_tensor* squares,
                                 const ups_histogram_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, edges, weights, counts, squares}, options);
}

ups_status ups_histogram_backward(ups_context* context, const ups_tensor* x, const ups_tensor* edges,
                                  const ups_tensor* weights, const ups_tensor* dcounts, ups_tensor* dx,
                                  ups_tensor* dweights, const ups_histogram_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, edges, weights, dcounts, dx, dweights}, options);
}

ups_status ups_histogram_2d_forward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                    const ups_tensor* x_edges, const ups_tensor* y_edges, const ups_tensor* weights,
                                    ups_tensor* counts, ups_tensor* squares,
                                    const ups_histogram_options* options) noexcept {
  return upsilon::call(context, upsilon::forward_2d, {x, y, x_edges, y_edges, weights, counts, squares}, options);
}

ups_status ups_histogram_2d_backward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                     const ups_tensor* x_edges, const ups_tensor* y_edges, const ups_tensor* weights,
                                     const ups_tensor* dcounts, ups_tensor* dx, ups_tensor* dy, ups_tensor* dweights,
                                     const ups_histogram_options* options) noexcept {
  return upsilon::call(context, upsilon::backward_2d, {x, y, x_edges, y_edges, weights, dcounts, dx, dy, dweights},
                       options);
}
