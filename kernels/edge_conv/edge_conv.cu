// CUDA: the first layer as two products over the nodes, u_i + v_j (see edge_conv.cpu.cc). With one
// layer a thread for every node and channel adds up its edges, and no row of an edge is written.
// With more layers the edges' values go through the dense products in global memory. Floor: 4 N F
// M_0 + 2 E (sum of M_l M_(l-1), l > 0) FLOP, or the values of the edges once to memory and back
// per layer.
#include "edge_conv/edge_conv.h"

#include "lib/math/activation.cuh"
#include "lib/segments/counting_sort.h"
#include "lib/dense/dense.h"
#include "lib/segments/segments.h"
#include "edge_conv/edge_conv_call.h"

namespace upsilon {
namespace {

// weight = [W_1 - W_2; W_2] and bias = [b, 0].
template <int threads>
UPS_KERNEL_LB(threads)
stack_weight(const int32_t* fault, EdgeLayers<float> f, float* weight, float* bias) {
  if (*fault != 0) return;
  const int64_t outputs = f.widths[0], count = outputs * f.features;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int64_t out = i / f.features, in = i % f.features;
    const float second = f.weight[0][(2 * out + 1) * f.features + in];
    weight[i] = f.weight[0][2 * out * f.features + in] - second;
    weight[count + i] = second;
  }
  for (int64_t c = global_thread(); c < 2 * outputs; c += global_threads())
    bias[c] = f.bias[0] && c < outputs ? f.bias[0][c] : 0.0f;
}

struct NodeProducts {
  float *weight, *bias, *uv;

  NodeProducts(const EdgeLayers<float>& f, WorkspaceLayout& workspace) {
    weight = workspace.reserve<float>(2 * f.widths[0] * f.features);
    bias = workspace.reserve<float>(2 * f.widths[0]);
    uv = workspace.reserve<float>(2 * f.widths[0] * f.nodes);
  }
  void compute(Launcher& launch, int32_t precision, const EdgeLayers<float>& f) const {
    launch.elements(stack_weight<block_threads>, 2 * f.widths[0] * (f.features + 1), f, weight, bias);
    product_with_weight(launch, precision, f.x, weight, bias, uv, f.nodes, f.features, 2 * f.widths[0],
                        UPS_ACTIVATION_NONE);
  }
};

UPS_ON_DEVICE float ends_of_edge(const EdgeLayers<float>& f, const float* uv, int64_t i, int64_t j, int64_t c) {
  const int64_t outputs = f.widths[0];
  return uv[2 * i * outputs + c] + uv[(2 * j + 1) * outputs + c];
}

// One layer, forward: y and, for max, the edge of the largest value. Either may be null.
template <int threads>
UPS_KERNEL_LB(threads)
reduce_edges(const int32_t* fault, EdgeLayers<float> f, const float* uv, float* y, int32_t* winner) {
  if (*fault != 0) return;
  const int64_t outputs = f.widths[0];
  for (int64_t at = global_thread(); at < f.nodes * outputs; at += global_threads()) {
    const int64_t i = at / outputs, c = at % outputs;
    const int32_t begin = f.row_offsets[i], end = f.row_offsets[i + 1];
    float reduced = 0.0f;
    int32_t best = -1;
    for (int32_t e = begin; e < end; ++e) {
      const float h = activate_value(ends_of_edge(f, uv, i, f.sources[e], c), f.activation[0]);
      if (!f.max) {
        reduced += h;
      } else if (e == begin || (reduced == reduced && !(h <= reduced))) {
        reduced = h;
        best = e;
      }
    }
    if (!f.max && begin < end) reduced /= static_cast<float>(end - begin);
    if (y) y[at] = reduced;
    if (winner) winner[at] = best;
  }
}

// h[e] = act(u_i + v_j) for every edge; 0 for edges in no row.
template <int threads>
UPS_KERNEL_LB(threads)
add_ends(const int32_t* fault, EdgeLayers<float> f, const float* uv, int32_t activation, float* h) {
  if (*fault != 0) return;
  const int64_t outputs = f.widths[0];
  for (int64_t at = global_thread(); at < f.edges * outputs; at += global_threads()) {
    const int64_t e = at / outputs, c = at % outputs;
    float value = 0.0f;
    if (e >= f.row_offsets[0] && e < f.row_offsets[f.nodes])
      value = activate_value(ends_of_edge(f, uv, lower_bound(f.row_offsets, f.nodes + 1, e + 1) - 1, f.sources[e], c),
                             activation);
    h[at] = value;
  }
}

Segments rows_of(const EdgeLayers<float>& f, const float* values, int64_t columns) {
  return {f.row_offsets, nullptr, values, columns, f.edges, f.nodes, columns};
}

// Values behind every layer, one after the other.
struct EdgeValues {
  float* layer[max_edge_layers] = {};

  EdgeValues(const EdgeLayers<float>& f, WorkspaceLayout& workspace) {
    for (int32_t l = 0; l < f.layers && f.layers > 1; ++l) layer[l] = workspace.reserve<float>(f.edges * f.outputs(l));
  }
  void compute(Launcher& launch, int32_t precision, const EdgeLayers<float>& f, const float* uv) const {
    launch.elements(add_ends<block_threads>, f.edges * f.widths[0], f, uv, f.activation[0], layer[0]);
    for (int32_t l = 1; l < f.layers; ++l)
      product_with_weight(launch, precision, layer[l - 1], f.weight[l], f.bias[l], layer[l], f.edges, f.inputs(l),
                          f.outputs(l), f.activation[l]);
  }
};

struct Scratch {
  NodeProducts nodes;
  EdgeValues values;
  float* parts;
  int32_t* where;

  Scratch(const EdgeLayers<float>& f, WorkspaceLayout& workspace) : nodes(f, workspace), values(f, workspace) {
    const int64_t count = f.layers > 1 ? segment_floats(rows_of(f, nullptr, f.result_width)) : 0;
    parts = workspace.reserve<float>(count);
    where = workspace.reserve<int32_t>(f.max ? count : 0);
  }
};

ups_status forward(const Call& call) {
  const EdgeConvForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  scratch.nodes.compute(launch, call.precision, f);
  if (f.layers == 1) {
    launch.elements(reduce_edges<block_threads>, f.nodes * f.result_width, f, scratch.nodes.uv, f.y, nullptr);
    return launch.status();
  }
  scratch.values.compute(launch, call.precision, f, scratch.nodes.uv);
  const Segments rows = rows_of(f, scratch.values.layer[f.layers - 1], f.result_width);
  if (f.max) segment_extremes(launch, rows, false, scratch.parts, scratch.where, f.y, nullptr);
  else segment_sums(launch, rows, true, scratch.parts, f.y);
  return launch.status();
}

// What arrives at an edge's result.
UPS_ON_DEVICE float result_gradient(const EdgeConvBackward<float>& f, const int32_t* winner, int64_t i, int64_t e,
                                    int64_t c) {
  const int64_t at = i * f.result_width + c;
  if (f.max) return winner[at] == e ? f.dy[at] : 0.0f;
  return f.dy[at] / static_cast<float>(f.row_offsets[i + 1] - f.row_offsets[i]);
}

template <int threads>
UPS_KERNEL_LB(threads)
spread_gradient(const int32_t* fault, EdgeConvBackward<float> f, const int32_t* winner, float* dh) {
  if (*fault != 0) return;
  const int64_t results = f.result_width;
  for (int64_t at = global_thread(); at < f.edges * results; at += global_threads()) {
    const int64_t e = at / results;
    float gradient = 0.0f;
    if (e >= f.row_offsets[0] && e < f.row_offsets[f.nodes])
      gradient = result_gradient(f, winner, lower_bound(f.row_offsets, f.nodes + 1, e + 1) - 1, e, at % results);
    dh[at] = gradient;
  }
}

// One layer: duv[n] = [du, dv], summed over the edges into n and out of it.
template <int threads>
UPS_KERNEL_LB(threads)
sum_gradients(const int32_t* fault, EdgeConvBackward<float> f, const float* uv, const int32_t* winner, float* duv) {
  if (*fault != 0) return;
  const int64_t outputs = f.widths[0];
  const int32_t activation = f.activation[0];
  const auto edge_gradient = [&](int64_t i, int64_t j, int64_t e, int64_t c) {
    const float z = ends_of_edge(f, uv, i, j, c);
    return result_gradient(f, winner, i, e, c) *
           activation_slope_at(activation == UPS_ACTIVATION_GELU ? z : activate_value(z, activation), activation);
  };
  for (int64_t at = global_thread(); at < f.nodes * outputs; at += global_threads()) {
    const int64_t n = at / outputs, c = at % outputs;
    float du = 0.0f, dv = 0.0f;
    for (int32_t e = f.row_offsets[n]; e < f.row_offsets[n + 1]; ++e) du += edge_gradient(n, f.sources[e], e, c);
    for (int32_t p = f.transposed_offsets[n]; p < f.transposed_offsets[n + 1]; ++p)
      dv += edge_gradient(f.targets[p], n, f.edge_ids[p], c);
    duv[2 * n * outputs + c] = du;
    duv[(2 * n + 1) * outputs + c] = dv;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
join(const int32_t* fault, const float* du, const float* dv, int64_t nodes, int64_t outputs, float* duv) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < nodes * outputs; at += global_threads()) {
    const int64_t n = at / outputs, c = at % outputs;
    duv[2 * n * outputs + c] = du[at];
    duv[(2 * n + 1) * outputs + c] = dv[at];
  }
}

// The gradient of the first weight from that of the stacked one.
template <int threads>
UPS_KERNEL_LB(threads)
unstack_weight(const int32_t* fault, const float* stacked, int64_t outputs, int64_t features, float* dweight) {
  if (*fault != 0) return;
  const int64_t count = outputs * features;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int64_t at = i + i / features * features;  // row by row: first part, second part
    dweight[at] = stacked[i];
    dweight[at + features] = stacked[count + i] - stacked[i];
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
copy_values(const int32_t* fault, const float* from, int64_t count, float* to) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) to[i] = from[i];
}

struct BackwardScratch : Scratch {
  int32_t* winner;
  float *duv, *dweight, *dbias, *node_parts;
  float *gradient[2] = {}, *du = nullptr, *dv = nullptr, *sum_parts = nullptr;
  DenseScratch dense;

  BackwardScratch(const EdgeConvBackward<float>& f, WorkspaceLayout& workspace) : Scratch(f, workspace) {
    const int64_t columns = 2 * f.widths[0];
    winner = workspace.reserve<int32_t>(f.max ? f.nodes * f.result_width : 0);
    duv = workspace.reserve<float>(f.nodes * columns);
    dweight = workspace.reserve<float>(columns * f.features);
    dbias = workspace.reserve<float>(columns);
    node_parts = workspace.reserve<float>(
        std::max(transposed_product_floats(f.nodes, columns, f.features), slope_floats(f.nodes, columns)));
    if (f.layers == 1) return;
    int64_t floats = 0;
    for (int32_t l = 1; l < f.layers; ++l)
      floats = std::max(
          {floats, transposed_product_floats(f.edges, f.outputs(l), f.inputs(l)), slope_floats(f.edges, f.outputs(l))});
    for (float*& g : gradient) g = workspace.reserve<float>(f.edges * f.widest_layer());
    dense.dz = workspace.reserve<float>(f.edges * f.widest_layer());
    dense.parts = workspace.reserve<float>(floats);
    du = workspace.reserve<float>(f.nodes * f.widths[0]);
    dv = workspace.reserve<float>(f.nodes * f.widths[0]);
    sum_parts = workspace.reserve<float>(segment_floats(rows_of(f, nullptr, f.widths[0])));
  }
};

void gradients_of_layers(Launcher& launch, int32_t precision, const EdgeConvBackward<float>& f,
                         const BackwardScratch& scratch) {
  const int32_t top = f.layers - 1;
  const int64_t outputs = f.widths[0];
  scratch.values.compute(launch, precision, f, scratch.nodes.uv);
  if (f.max)
    segment_extremes(launch, rows_of(f, scratch.values.layer[top], f.result_width), false, scratch.parts, scratch.where,
                     nullptr, scratch.winner);
  float* dh = scratch.gradient[top % 2 == 0 ? 1 : 0];
  launch.elements(spread_gradient<block_threads>, f.edges * f.result_width, f, scratch.winner, dh);
  for (int32_t l = top; l > 0; --l) {
    DenseScratch dense = scratch.dense;
    if (f.activation[l] == UPS_ACTIVATION_NONE) dense.dz = nullptr;  // dh serves
    float* const next = scratch.gradient[l % 2];
    dense_backward(launch, precision,
                   {f.edges, f.inputs(l), f.outputs(l), scratch.values.layer[l - 1], f.weight[l], f.bias[l],
                    scratch.values.layer[l], dh, next, f.dweight[l], f.dbias[l], f.activation[l]},
                   dense);
    dh = next;
  }
  if (f.activation[0] == UPS_ACTIVATION_GELU)
    launch.elements(add_ends<block_threads>, f.edges * outputs, f, scratch.nodes.uv,
                    static_cast<int32_t>(UPS_ACTIVATION_NONE), scratch.values.layer[0]);
  float* const dz = scratch.values.layer[0];
  slope(launch, scratch.values.layer[0], dh, dz, nullptr, nullptr, f.edges, outputs, f.activation[0]);
  segment_sums(launch, rows_of(f, dz, outputs), false, scratch.sum_parts, scratch.du);
  segment_sums(launch, {f.transposed_offsets, f.edge_ids, dz, outputs, f.edges, f.nodes, outputs}, false,
               scratch.sum_parts, scratch.dv);
  launch.elements(join<block_threads>, f.nodes * outputs, scratch.du, scratch.dv, f.nodes, outputs, scratch.duv);
}

ups_status backward(const Call& call) {
  const EdgeConvBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  const int64_t columns = 2 * f.widths[0];
  scratch.nodes.compute(launch, call.precision, f);
  if (f.layers == 1) {
    const int64_t count = f.nodes * f.widths[0];
    if (f.max) launch.elements(reduce_edges<block_threads>, count, f, scratch.nodes.uv, nullptr, scratch.winner);
    launch.elements(sum_gradients<block_threads>, count, f, scratch.nodes.uv, scratch.winner, scratch.duv);
  } else {
    gradients_of_layers(launch, call.precision, f, scratch);
  }
  if (f.dx) product(launch, call.precision, scratch.duv, scratch.nodes.weight, f.dx, f.nodes, columns, f.features);
  if (f.dweight[0]) {
    transposed_product(launch, call.precision, scratch.duv, f.x, scratch.node_parts, scratch.dweight, f.nodes, columns,
                       f.features);
    launch.elements(unstack_weight<block_threads>, f.widths[0] * f.features, scratch.dweight, f.widths[0], f.features,
                    f.dweight[0]);
  }
  if (f.dbias[0]) {
    slope(launch, nullptr, scratch.duv, nullptr, scratch.node_parts, scratch.dbias, f.nodes, columns,
          UPS_ACTIVATION_NONE);
    launch.elements(copy_values<block_threads>, f.widths[0], scratch.dbias, f.widths[0], f.dbias[0]);
  }
  return launch.status();
}

// Positions of edges are 32-bit.
bool forward_fits(const Call& call) { return EdgeConvForwardCall(call).dim("E") <= INT32_MAX; }
bool backward_fits(const Call& call) { return EdgeConvBackwardCall(call).dim("E") <= INT32_MAX; }

UPS_CUDA_VARIANT(forward, EdgeConvForwardCall, forward, workspace_of<EdgeConvForward<float>, Scratch>, forward_fits)
UPS_CUDA_VARIANT(backward, EdgeConvBackwardCall, backward, workspace_of<EdgeConvBackward<float>, BackwardScratch>,
                 backward_fits)

}  // namespace
}  // namespace upsilon
