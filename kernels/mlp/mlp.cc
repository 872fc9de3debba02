// Reference: the definition, in plain loops, row by row.
#include "mlp/mlp.h"

#include "lib/kernel.h"
#include "lib/dense/layers_of_row.h"
#include "lib/dense/layer_validity.h"
#include "mlp/mlp_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const MlpForward<T> f(call);
  const auto row = scratch_of<LayersOfRow<T>>(call, f);
  const int64_t outputs = f.outputs(f.layers - 1);
  for (int64_t r = 0; r < f.rows; ++r) std::copy_n(row.apply(f, f.x + r * f.inputs(0)), outputs, f.y + r * outputs);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MlpBackward<T> f(call);
  const auto row = scratch_of<LayersOfRow<T>>(call, f);
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

const OperationOf<MlpForwardCall> forward{
    {forward_reference<float>, workspace_of<MlpForward<float>, LayersOfRow<float>>},
    {forward_reference<double>, workspace_of<MlpForward<double>, LayersOfRow<double>>},
    validated_by<validate_layers<MlpForwardCall>>};
const OperationOf<MlpBackwardCall> backward{
    {backward_reference<float>, workspace_of<MlpBackward<float>, LayersOfRow<float>>},
    {backward_reference<double>, workspace_of<MlpBackward<double>, LayersOfRow<double>>},
    validated_by<validate_layer_gradients<MlpBackwardCall>>};

}  // namespace
}  // namespace upsilon

ups_status ups_mlp_forward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                           const ups_tensor* const* biases, ups_tensor* y, const ups_mlp_options* options) noexcept {
  upsilon::MlpForwardCall::Arguments to;
  to["x"] = x;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["y"] = y;
  return upsilon::call(context, upsilon::forward, to.tensors, options);
}

ups_status ups_mlp_backward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                            const ups_tensor* const* biases, const ups_tensor* dy, ups_tensor* dx,
                            const ups_tensor* const* dweights, const ups_tensor* const* dbiases,
                            const ups_mlp_options* options) noexcept {
  upsilon::MlpBackwardCall::Arguments to;
  to["x"] = x;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["dy"] = dy;
  to["dx"] = dx;
  to.put("dweight#", dweights);
  to.put("dbias#", dbiases);
  return upsilon::call(context, upsilon::backward, to.tensors, options);
}
