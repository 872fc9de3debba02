// Reference: the definition, in plain loops.
#include "graph_conv/graph_conv.h"

#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "graph_conv/graph_conv_call.h"

namespace upsilon {
namespace {

template <class T>
struct Scratch {
  NodeFactors<T> factors;
  T* aggregated;  // [N, Fin] forward: Â x; [N, Fout] backward: Â^T dz
  T* dz;          // [N, Fout]
  T *product, *in, *out;  // for dedge_weights: x W^T [N, Fout], and sums of c q per node

  Scratch(const GraphConvForward<T>& f, WorkspaceLayout& workspace) : Scratch(f.nodes, f.inputs, 0, workspace) {}
  Scratch(const GraphConvBackward<T>& f, WorkspaceLayout& workspace)
      : Scratch(f.nodes, std::max(f.inputs, f.outputs), f.outputs, workspace) {}

 private:
  Scratch(int64_t nodes, int64_t features, int64_t outputs, WorkspaceLayout& workspace)
      : factors{workspace.reserve<T>(nodes), workspace.reserve<T>(nodes), workspace.reserve<T>(nodes)},
        aggregated(workspace.reserve<T>(nodes * features)), dz(workspace.reserve<T>(nodes * outputs)),
        product(workspace.reserve<T>(nodes * outputs)), in(workspace.reserve<T>(nodes)),
        out(workspace.reserve<T>(nodes)) {}
};

// result = Â x (or the transpose, row by row of the original: every edge adds to its source).
template <class T, class Graph>
void multiply_adjacency(const Graph& f, const NodeFactors<T>& factors, bool transposed, const T* x, int64_t features,
                        T* result) {
  clear(result, f.nodes * features);
  const auto add = [&](int64_t i, int64_t j, T a) {
    if (transposed) std::swap(i, j);
    for (int64_t c = 0; c < features; ++c) result[i * features + c] += a * x[j * features + c];
  };
  for (int64_t i = 0; i < f.nodes; ++i) {
    for (int32_t e = f.row_offsets[i]; e < f.row_offsets[i + 1]; ++e) {
      const int64_t j = f.sources[e];
      if (f.options.self_loops && i == j) continue;
      add(i, j, factors.target[i] * (f.edge_weights ? f.edge_weights[e] : T(1)) * factors.source[j]);
    }
    if (f.options.self_loops) add(i, i, factors.target[i] * factors.loop[i] * factors.source[i]);
  }
}

template <class T>
ups_status forward_reference(const Call& call) {
  const GraphConvForward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  for (int64_t i = 0; i < f.nodes; ++i)
    node_factors(i, f.row_offsets, f.sources, f.edge_weights, f.options, scratch.factors);
  multiply_adjacency(f, scratch.factors, false, f.x, f.inputs, scratch.aggregated);
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t out = 0; out < f.outputs; ++out) {
      T z = f.bias ? f.bias[out] : T(0);
      for (int64_t in = 0; in < f.inputs; ++in)
        z += scratch.aggregated[i * f.inputs + in] * f.weight[out * f.inputs + in];
      f.y[i * f.outputs + out] = activate(z, f.options.activation);
    }
  return UPS_OK;
}

template <class T>
void edge_gradients(const GraphConvBackward<T>& f, const Scratch<T>& scratch) {
  const NodeFactors<T>& factors = scratch.factors;
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t out = 0; out < f.outputs; ++out) {
      T sum = 0;
      for (int64_t in = 0; in < f.inputs; ++in) sum += f.x[i * f.inputs + in] * f.weight[out * f.inputs + in];
      scratch.product[i * f.outputs + out] = sum;
    }
  const auto q = [&](int64_t i, int64_t j) {
    T sum = 0;
    for (int64_t out = 0; out < f.outputs; ++out)
      sum += scratch.dz[i * f.outputs + out] * scratch.product[j * f.outputs + out];
    return sum;
  };
  clear(f.dedge_weights, f.edges);
  clear(scratch.in, f.nodes);
  clear(scratch.out, f.nodes);
  const auto count = [&](int64_t i, int64_t j, T weight, T of_edge) {
    const T share = factors.target[i] * weight * factors.source[j] * of_edge;
    scratch.in[i] += share;
    scratch.out[j] += share;
  };
  for (int64_t i = 0; i < f.nodes; ++i) {
    for (int32_t e = f.row_offsets[i]; e < f.row_offsets[i + 1]; ++e) {
      const int64_t j = f.sources[e];
      f.dedge_weights[e] = q(i, j);
      if (!f.options.self_loops || i != j) count(i, j, f.edge_weights ? f.edge_weights[e] : T(1), f.dedge_weights[e]);
    }
    if (f.options.self_loops) count(i, i, factors.loop[i], q(i, i));
  }
  for (int64_t i = 0; i < f.nodes; ++i)
    finish_edge_gradients(i, f.row_offsets, f.sources, f.options, factors,
                          degree_gradient(i, f.options, factors, scratch.in[i], scratch.out[i]), f.dedge_weights);
}

template <class T>
ups_status backward_reference(const Call& call) {
  const GraphConvBackward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  for (int64_t i = 0; i < f.nodes; ++i)
    node_factors(i, f.row_offsets, f.sources, f.edge_weights, f.options, scratch.factors);
  const bool gelu = f.options.activation == UPS_ACTIVATION_GELU;
  if (gelu) multiply_adjacency(f, scratch.factors, false, f.x, f.inputs, scratch.aggregated);
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t out = 0; out < f.outputs; ++out) {
      T z = f.bias ? f.bias[out] : T(0);
      if (gelu)
        for (int64_t in = 0; in < f.inputs; ++in)
          z += scratch.aggregated[i * f.inputs + in] * f.weight[out * f.inputs + in];
      const int64_t at = i * f.outputs + out;
      scratch.dz[at] = f.dy[at] * activation_slope(z, f.y[at], f.options.activation);
    }
  T* g = scratch.aggregated;  // Â^T dz
  multiply_adjacency(f, scratch.factors, true, scratch.dz, f.outputs, g);
  clear(f.dweight, f.outputs * f.inputs);
  clear(f.dbias, f.outputs);
  clear(f.dx, f.nodes * f.inputs);
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t out = 0; out < f.outputs; ++out) {
      const T g_i = g[i * f.outputs + out];
      for (int64_t in = 0; in < f.inputs; ++in) {
        if (f.dweight) f.dweight[out * f.inputs + in] += g_i * f.x[i * f.inputs + in];
        if (f.dx) f.dx[i * f.inputs + in] += g_i * f.weight[out * f.inputs + in];
      }
      if (f.dbias) f.dbias[out] += scratch.dz[i * f.outputs + out];
    }
  if (f.dedge_weights) edge_gradients(f, scratch);
  return UPS_OK;
}

const OperationOf<GraphConvForwardCall> forward{
    {forward_reference<float>, workspace_of<GraphConvForward<float>, Scratch<float>>},
    {forward_reference<double>, workspace_of<GraphConvForward<double>, Scratch<double>>}};
const OperationOf<GraphConvBackwardCall> backward{
    {backward_reference<float>, workspace_of<GraphConvBackward<float>, Scratch<float>>},
    {backward_reference<double>, workspace_of<GraphConvBackward<double>, Scratch<double>>}};

}  // namespace
}  // namespace upsilon

ups_status ups_graph_conv_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                  const ups_tensor* edge_weights, const ups_tensor* x, const ups_tensor* weight,
                                  const ups_tensor* bias, ups_tensor* y,
                                  const ups_graph_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {row_offsets, sources, edge_weights, x, weight, bias, y}, options);
}

ups_status ups_graph_conv_backward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                   const ups_tensor* edge_weights, const ups_tensor* transposed_offsets,
                                   const ups_tensor* targets, const ups_tensor* edges, const ups_tensor* x,
                                   const ups_tensor* weight, const ups_tensor* bias, const ups_tensor* y,
                                   const ups_tensor* dy, ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                   ups_tensor* dedge_weights, const ups_graph_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {row_offsets, sources, edge_weights, transposed_offsets, targets, edges, x, weight, bias, y, dy,
                        dx, dweight, dbias, dedge_weights},
                       options);
}
