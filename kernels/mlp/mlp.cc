// Reference: the definition, in plain loops, row by row.
#include "mlp/mlp.h"

#include "lib/kernel.h"
#include "lib/dense/layers_of_row.h"
#include "mlp/mlp_call.h"

namespace upsilon {
namespace {

template <class T>
size_t workspace_reference(const Call& call) {
  Pieces pieces(nullptr);
  (void)LayersOfRow<T>(MlpLayers<T>(call), pieces);
  return pieces.bytes();
}

template <class T>
ups_status forward_reference(const Call& call) {
  const MlpForward<T> f(call);
  Pieces pieces(call.workspace);
  const LayersOfRow<T> row(f, pieces);
  const int64_t outputs = f.outputs(f.layers - 1);
  for (int64_t r = 0; r < f.rows; ++r) std::copy_n(row.apply(f, f.x + r * f.inputs(0)), outputs, f.y + r * outputs);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MlpBackward<T> f(call);
  Pieces pieces(call.workspace);
  const LayersOfRow<T> row(f, pieces);
  clear_layer_gradients(f, f);
  const int64_t outputs = f.outputs(f.layers - 1);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* x = f.x + r * f.inputs(0);
    row.apply(f, x);
    std::copy_n(f.dy + r * outputs, outputs, row.dh);
    row.add_gradients(f, f, x, f.dx ? f.dx + r * f.inputs(0) : nullptr);
  }
  return UPS_OK;
}

const OperationEntry forward{"mlp_forward",
                             UPS_MLP_FORWARD_SCHEMA,
                             sizeof(ups_mlp_options),
                             {forward_reference<float>, workspace_reference<float>, mlp_supports},
                             {forward_reference<double>, workspace_reference<double>, mlp_supports}};
const OperationEntry backward{"mlp_backward",
                              UPS_MLP_BACKWARD_SCHEMA,
                              sizeof(ups_mlp_options),
                              {backward_reference<float>, workspace_reference<float>, mlp_backward_supports},
                              {backward_reference<double>, workspace_reference<double>, mlp_backward_supports}};

}  // namespace
}  // namespace upsilon

ups_status ups_mlp_forward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                           const ups_tensor* const* biases, ups_tensor* y, const ups_mlp_options* options) noexcept {
  const ups_tensor* tensors[2 + 2 * UPS_MLP_MAX_LAYERS] = {x};
  upsilon::put_layers(weights, biases, tensors + 1);
  tensors[9] = y;
  return upsilon::call(context, upsilon::forward, tensors, options);
}

ups_status ups_mlp_backward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                            const ups_tensor* const* biases, const ups_tensor* dy, ups_tensor* dx,
                            const ups_tensor* const* dweights, const ups_tensor* const* dbiases,
                            const ups_mlp_options* options) noexcept {
  const ups_tensor* tensors[3 + 4 * UPS_MLP_MAX_LAYERS] = {x};
  upsilon::put_layers(weights, biases, tensors + 1);
  upsilon::put_layers(dweights, dbiases, tensors + 11);
  tensors[9] = dy;
  tensors[10] = dx;
  return upsilon::call(context, upsilon::backward, tensors, options);
}
