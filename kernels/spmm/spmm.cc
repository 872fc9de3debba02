// Reference: the definition, in plain loops.
#include "spmm/spmm.h"

#include "lib/kernel.h"
#include "spmm/spmm_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status run(const Spmm<T>& f) {
  for (int64_t row = 0; f.y && row < f.rows; ++row)
    for (int64_t c = 0; c < f.features; ++c) {
      T sum = 0;
      for (int32_t e = f.row_offsets[row]; e < f.row_offsets[row + 1]; ++e)
        sum += (f.edge_weights ? f.edge_weights[f.edge_ids ? f.edge_ids[e] : e] : T(1)) *
               f.x[f.sources[e] * f.features + c];
      f.y[row * f.features + c] = sum;
    }
  return UPS_OK;
}

template <class T>
ups_status forward_reference(const Call& call) {
  return run<T>(SpmmForward<T>(call));
}
template <class T>
ups_status backward_reference(const Call& call) {
  const SpmmBackward<T> f(call);
  clear(f.dedge_weights, f.edges);
  for (int64_t row = 0; f.dedge_weights && row < f.rows; ++row)
    for (int32_t e = f.row_offsets[row]; e < f.row_offsets[row + 1]; ++e)
      for (int64_t c = 0; c < f.features; ++c)
        f.dedge_weights[f.edge_ids[e]] += f.row_values[row * f.features + c] * f.x[f.sources[e] * f.features + c];
  return run(f);
}

const OperationOf<SpmmForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<SpmmBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_spmm_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                            const ups_tensor* edge_weights, const ups_tensor* x, ups_tensor* y) noexcept {
  return upsilon::call(context, upsilon::forward, {row_offsets, sources, edge_weights, x, y}, nullptr);
}

ups_status ups_spmm_backward(ups_context* context, const ups_tensor* transposed_offsets, const ups_tensor* targets,
                             const ups_tensor* edges, const ups_tensor* edge_weights, const ups_tensor* x,
                             const ups_tensor* dy, ups_tensor* dx, ups_tensor* dedge_weights) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {transposed_offsets, targets, edges, edge_weights, x, dy, dx, dedge_weights}, nullptr);
}
