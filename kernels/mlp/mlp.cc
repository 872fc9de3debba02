// Reference: the definition, in plain loops, row by row.
#include "mlp/mlp.h"

#include "common/activation.h"
#include "common/kernel.h"
#include "mlp/mlp_call.h"

namespace upsilon {
namespace {

// One row's sums before (z) and values behind (h) the activation of each layer.
template <class T>
struct Row {
  T *z[UPS_MLP_MAX_LAYERS], *h[UPS_MLP_MAX_LAYERS];
  T *dz, *dh;

  Row(const MlpLayers<T>& f, Pieces& pieces) {
    for (int32_t l = 0; l < f.layers; ++l) {
      z[l] = pieces.take<T>(f.outputs(l));
      h[l] = pieces.take<T>(f.outputs(l));
    }
    dz = pieces.take<T>(f.widest_layer());
    dh = pieces.take<T>(f.widest_layer());
  }
};

template <class T>
size_t workspace_reference(const Call& call) {
  Pieces pieces(nullptr);
  (void)Row<T>(MlpLayers<T>(call), pieces);
  return pieces.bytes();
}

template <class T>
void apply_layers(const MlpLayers<T>& f, const T* x, const Row<T>& row) {
  for (int32_t l = 0; l < f.layers; ++l) {
    for (int64_t out = 0; out < f.outputs(l); ++out) {
      T z = f.bias[l] ? f.bias[l][out] : T(0);
      for (int64_t in = 0; in < f.inputs(l); ++in) z += x[in] * f.weight[l][out * f.inputs(l) + in];
      row.z[l][out] = z;
      row.h[l][out] = activate(z, f.activation[l]);
    }
    x = row.h[l];
  }
}

template <class T>
ups_status forward_reference(const Call& call) {
  const MlpForward<T> f(call);
  Pieces pieces(call.workspace);
  const Row<T> row(f, pieces);
  const int64_t outputs = f.outputs(f.layers - 1);
  for (int64_t r = 0; r < f.rows; ++r) {
    apply_layers(f, f.x + r * f.inputs(0), row);
    std::copy_n(row.h[f.layers - 1], outputs, f.y + r * outputs);
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MlpBackward<T> f(call);
  Pieces pieces(call.workspace);
  const Row<T> row(f, pieces);
  for (int32_t l = 0; l < f.layers; ++l) {
    if (f.dweight[l]) std::fill_n(f.dweight[l], f.outputs(l) * f.inputs(l), T(0));
    if (f.dbias[l]) std::fill_n(f.dbias[l], f.outputs(l), T(0));
  }
  const int64_t outputs = f.outputs(f.layers - 1);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* x = f.x + r * f.inputs(0);
    apply_layers(f, x, row);
    std::copy_n(f.dy + r * outputs, outputs, row.dh);
    for (int32_t l = f.layers - 1; l >= 0; --l) {
      const int64_t inputs_here = f.inputs(l);
      const T* h = l > 0 ? row.h[l - 1] : x;
      for (int64_t out = 0; out < f.outputs(l); ++out) {
        row.dz[out] = row.dh[out] * activation_slope(row.z[l][out], row.h[l][out], f.activation[l]);
        if (f.dbias[l]) f.dbias[l][out] += row.dz[out];
        if (f.dweight[l])
          for (int64_t in = 0; in < inputs_here; ++in) f.dweight[l][out * inputs_here + in] += row.dz[out] * h[in];
      }
      T* dh = l > 0 ? row.dh : f.dx ? f.dx + r * inputs_here : nullptr;
      if (!dh) continue;
      std::fill_n(dh, inputs_here, T(0));
      for (int64_t out = 0; out < f.outputs(l); ++out)
        for (int64_t in = 0; in < inputs_here; ++in) dh[in] += row.dz[out] * f.weight[l][out * inputs_here + in];
    }
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

// The pointer of layer l in a list that may be missing altogether.
const ups_tensor* layer(const ups_tensor* const* list, int32_t l) { return list ? list[l] : nullptr; }

}  // namespace
}  // namespace upsilon

ups_status ups_mlp_forward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                           const ups_tensor* const* biases, const ups_tensor* y, const ups_mlp_options* options) {
  const ups_tensor* tensors[2 + 2 * UPS_MLP_MAX_LAYERS] = {x};
  for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l) {
    tensors[1 + 2 * l] = upsilon::layer(weights, l);
    tensors[2 + 2 * l] = upsilon::layer(biases, l);
  }
  tensors[9] = y;
  return upsilon::call(context, upsilon::forward, tensors, options);
}

ups_status ups_mlp_backward(ups_context* context, const ups_tensor* x, const ups_tensor* const* weights,
                            const ups_tensor* const* biases, const ups_tensor* dy, const ups_tensor* dx,
                            const ups_tensor* const* dweights, const ups_tensor* const* dbiases,
                            const ups_mlp_options* options) {
  const ups_tensor* tensors[3 + 4 * UPS_MLP_MAX_LAYERS] = {x};
  for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l) {
    tensors[1 + 2 * l] = upsilon::layer(weights, l);
    tensors[2 + 2 * l] = upsilon::layer(biases, l);
    tensors[11 + 2 * l] = upsilon::layer(dweights, l);
    tensors[12 + 2 * l] = upsilon::layer(dbiases, l);
  }
  tensors[9] = dy;
  tensors[10] = dx;
  return upsilon::call(context, upsilon::backward, tensors, options);
}
