// Reference: the definition, in plain loops, edge by edge.
#include "edge_conv/edge_conv.h"

#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "lib/dense/layers.h"
#include "lib/dense/layer_validity.h"
#include "edge_conv/edge_conv_call.h"

namespace upsilon {
namespace {

// One edge's input, and its sums before (z) and values behind (h) the activation of each layer.
template <class T>
struct Edge {
  T *input, *z[max_edge_layers], *h[max_edge_layers];
  T *dz, *dh, *best;
  int32_t* best_edge;

  Edge(const EdgeLayers<T>& f, WorkspaceLayout& workspace) {
    input = workspace.reserve<T>(2 * f.features);
    for (int32_t l = 0; l < f.layers; ++l) {
      z[l] = workspace.reserve<T>(f.outputs(l));
      h[l] = workspace.reserve<T>(f.outputs(l));
    }
    dz = workspace.reserve<T>(f.widest_layer());
    dh = workspace.reserve<T>(std::max(f.widest_layer(), 2 * f.features));
    best = workspace.reserve<T>(f.results());
    best_edge = workspace.reserve<int32_t>(f.results());
  }
};

template <class T>
void apply_layers(const EdgeLayers<T>& f, int64_t i, int64_t j, const Edge<T>& edge) {
  for (int64_t c = 0; c < f.features; ++c) {
    edge.input[c] = f.x[i * f.features + c];
    edge.input[f.features + c] = f.x[j * f.features + c] - f.x[i * f.features + c];
  }
  const T* input = edge.input;
  for (int32_t l = 0; l < f.layers; ++l) {
    for (int64_t out = 0; out < f.outputs(l); ++out) {
      T z = f.bias[l] ? f.bias[l][out] : T(0);
      for (int64_t in = 0; in < f.inputs(l); ++in) z += input[in] * f.weight[l][out * f.inputs(l) + in];
      edge.z[l][out] = z;
      edge.h[l][out] = activate(z, f.activation[l]);
    }
    input = edge.h[l];
  }
}

// Whether `value` takes the place of the largest so far: beyond it, or the first NaN.
template <class T>
bool replaces(T value, T largest) {
  if (std::isnan(largest)) return false;
  return std::isnan(value) || value > largest;
}

// The largest value of each channel over the edges of node i, which has some, and the edge it is
// on.
template <class T>
void find_largest(const EdgeLayers<T>& f, int64_t i, const Edge<T>& edge) {
  const T* h = edge.h[f.layers - 1];
  for (int32_t e = f.row_offsets[i]; e < f.row_offsets[i + 1]; ++e) {
    apply_layers(f, i, f.sources[e], edge);
    for (int64_t c = 0; c < f.results(); ++c)
      if (e == f.row_offsets[i] || replaces(h[c], edge.best[c])) {
        edge.best[c] = h[c];
        edge.best_edge[c] = e;
      }
  }
}

template <class T>
ups_status forward_reference(const Call& call) {
  const EdgeConvForward<T> f(call);
  const auto edge = scratch_of<Edge<T>>(call, f);
  const int64_t results = f.results();
  std::fill_n(f.y, f.nodes * results, T(0));
  for (int64_t i = 0; i < f.nodes; ++i) {
    const int32_t begin = f.row_offsets[i], end = f.row_offsets[i + 1];
    T* y = f.y + i * results;
    if (f.max && begin < end) {
      find_largest(f, i, edge);
      std::copy_n(edge.best, results, y);
      continue;
    }
    for (int32_t e = begin; e < end; ++e) {
      apply_layers(f, i, f.sources[e], edge);
      for (int64_t c = 0; c < results; ++c) y[c] += edge.h[f.layers - 1][c];
    }
    for (int64_t c = 0; c < results && begin < end; ++c) y[c] /= static_cast<T>(end - begin);
  }
  return UPS_OK;
}

template <class T>
void differentiate_edge(const EdgeConvBackward<T>& f, int64_t i, int64_t j, const Edge<T>& edge) {
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    const int64_t inputs = f.inputs(l);
    const T* input = l > 0 ? edge.h[l - 1] : edge.input;
    for (int64_t out = 0; out < f.outputs(l); ++out) {
      edge.dz[out] = edge.dh[out] * activation_slope(edge.z[l][out], edge.h[l][out], f.activation[l]);
      if (f.dbias[l]) f.dbias[l][out] += edge.dz[out];
      if (f.dweight[l])
        for (int64_t in = 0; in < inputs; ++in) f.dweight[l][out * inputs + in] += edge.dz[out] * input[in];
    }
    std::fill_n(edge.dh, inputs, T(0));
    for (int64_t out = 0; out < f.outputs(l); ++out)
      for (int64_t in = 0; in < inputs; ++in) edge.dh[in] += edge.dz[out] * f.weight[l][out * inputs + in];
  }
  for (int64_t c = 0; c < f.features && f.dx; ++c) {
    f.dx[i * f.features + c] += edge.dh[c] - edge.dh[f.features + c];
    f.dx[j * f.features + c] += edge.dh[f.features + c];
  }
}

template <class T>
ups_status backward_reference(const Call& call) {
  const EdgeConvBackward<T> f(call);
  const auto edge = scratch_of<Edge<T>>(call, f);
  const int64_t results = f.results();
  clear(f.dx, f.nodes * f.features);
  for (int32_t l = 0; l < f.layers; ++l) {
    clear(f.dweight[l], f.outputs(l) * f.inputs(l));
    clear(f.dbias[l], f.outputs(l));
  }
  for (int64_t i = 0; i < f.nodes; ++i) {
    const int32_t begin = f.row_offsets[i], end = f.row_offsets[i + 1];
    if (f.max && begin < end) find_largest(f, i, edge);
    for (int32_t e = begin; e < end; ++e) {
      apply_layers(f, i, f.sources[e], edge);
      for (int64_t c = 0; c < results; ++c) {
        const T dy = f.dy[i * results + c];
        edge.dh[c] = !f.max ? dy / static_cast<T>(end - begin) : edge.best_edge[c] == e ? dy : T(0);
      }
      differentiate_edge(f, i, f.sources[e], edge);
    }
  }
  return UPS_OK;
}

const OperationOf<EdgeConvForwardCall> forward{
    {forward_reference<float>, workspace_of<EdgeConvForward<float>, Edge<float>>},
    {forward_reference<double>, workspace_of<EdgeConvForward<double>, Edge<double>>},
    validated_by<validate_layers<EdgeConvForwardCall>>};
const OperationOf<EdgeConvBackwardCall> backward{
    {backward_reference<float>, workspace_of<EdgeConvBackward<float>, Edge<float>>},
    {backward_reference<double>, workspace_of<EdgeConvBackward<double>, Edge<double>>},
    validated_by<validate_layer_gradients<EdgeConvBackwardCall>>};

}  // namespace
}  // namespace upsilon

ups_status ups_edge_conv_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                 const ups_tensor* x, const ups_tensor* const* weights, const ups_tensor* const* biases,
                                 ups_tensor* y, const ups_edge_conv_options* options) noexcept {
  upsilon::EdgeConvForwardCall::Arguments to;
  to["row_offsets"] = row_offsets;
  to["sources"] = sources;
  to["x"] = x;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["y"] = y;
  return upsilon::call(context, upsilon::forward, to.tensors, options);
}

ups_status ups_edge_conv_backward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                  const ups_tensor* transposed_offsets, const ups_tensor* targets,
                                  const ups_tensor* edges, const ups_tensor* x, const ups_tensor* const* weights,
                                  const ups_tensor* const* biases, const ups_tensor* dy, ups_tensor* dx,
                                  const ups_tensor* const* dweights, const ups_tensor* const* dbiases,
                                  const ups_edge_conv_options* options) noexcept {
  upsilon::EdgeConvBackwardCall::Arguments to;
  to["row_offsets"] = row_offsets;
  to["sources"] = sources;
  to["transposed_offsets"] = transposed_offsets;
  to["targets"] = targets;
  to["edges"] = edges;
  to["x"] = x;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["dy"] = dy;
  to["dx"] = dx;
  to.put("dweight#", dweights);
  to.put("dbias#", dbiases);
  return upsilon::call(context, upsilon::backward, to.tensors, options);
}
