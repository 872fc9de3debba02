// CUDA: one kernel finds the coefficients of Â, then the narrower side is aggregated: for Fin <= Fout Â x is gathered, 64
// rows at a time, into shared memory and multiplied there; otherwise x W^T comes first. Backward: G = Â^T dz once, then
// dx = G W and dW = G^T x. Floor: the gathered rows, or 2 N Fin Fout FLOP.
#include "graph_conv/graph_conv.h"

#include "common/aggregate.cuh"
#include "common/dense.h"
#include "common/panel.cuh"
#include "graph_conv/graph_conv_call.h"

namespace upsilon {
namespace {

struct Coefficients {
  float *factor = nullptr, *loop = nullptr;  // null where not needed
  Coefficients(Pieces& pieces, int64_t nodes, const ups_graph_conv_options& options) {
    if (options.normalization != UPS_NORMALIZATION_NONE) factor = pieces.take<float>(nodes);
    if (options.self_loops) loop = pieces.take<float>(nodes);
  }
};

template <int threads>
UPS_KERNEL_LB(threads)
find_coefficients(const int32_t* fault, const int32_t* offsets, const int32_t* sources, const float* weights,
                  int64_t nodes, int32_t normalization, Coefficients coefficients) {
  if (*fault != 0) return;
  for (int64_t node = global_thread(); node < nodes; node += global_threads()) {
    float degree = 0.0f, loop = 1.0f;
    for (int32_t e = offsets[node]; e < offsets[node + 1]; ++e) {
      const float weight = weights ? weights[e] : 1.0f;
      if (coefficients.loop && sources[e] == node) loop = weight;  // of several the last counts
      else degree += weight;
    }
    if (coefficients.loop) {
      degree += loop;
      coefficients.loop[node] = loop;
    }
    if (coefficients.factor)
      coefficients.factor[node] = degree == 0.0f                                 ? 0.0f
                                  : normalization == UPS_NORMALIZATION_SYMMETRIC ? 1.0f / sqrtf(degree)
                                                                                 : 1.0f / degree;
  }
}

struct Layer {
  Aggregation graph;
  const float* x;
  int64_t nodes, inputs, outputs;
  int lanes;
  Operand weight[1];
  const float* bias;
  float* y;
  int32_t activation;
};

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
aggregate_and_multiply(const int32_t* fault, Layer layer) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED_DYN(float, panel);
  const int64_t padded = padded_depth<Shape>(layer.inputs), stride = panel_stride<precision>(padded);
  const int64_t first_node = static_cast<int64_t>(blockIdx.x) * Shape::rows;
  const int lane = static_cast<int>(threadIdx.x) % layer.lanes;
  for (int row = static_cast<int>(threadIdx.x) / layer.lanes; row < Shape::rows; row += Shape::threads / layer.lanes) {
    float* const to = panel + row * stride;
    if (first_node + row < layer.nodes)
      aggregate_row(layer.graph, layer.x, layer.inputs, padded, first_node + row, lane, layer.lanes,
                    [&](int64_t c, float sum) { to[c] = sum; });
    else
      for (int64_t c = lane; c < padded; c += layer.lanes) to[c] = 0.0f;
  }
  __syncthreads();
  multiply_panel<Shape, precision>(panel, static_cast<int>(stride), layer.weight, layer.inputs, memory[0],
                                   [&](int row, int64_t column, float sum) {
                                     const int64_t node = first_node + row;
                                     if (node >= layer.nodes || column >= layer.outputs) return;
                                     const float z = layer.bias ? sum + layer.bias[column] : sum;
                                     layer.y[node * layer.outputs + column] = activate_value(z, layer.activation);
                                   });
}

bool fits_panel(int64_t inputs) { return panel_bytes(padded_depth<PanelTile>(inputs)) <= most_panel_bytes; }

template <class Conv>
Aggregation forward_graph(const Conv& f, const Coefficients& c) {
  return {f.row_offsets,
          f.sources,
          nullptr,
          f.edge_weights,
          c.factor,
          c.loop,
          c.factor != nullptr,
          f.options.normalization == UPS_NORMALIZATION_SYMMETRIC};
}

template <class Conv>
void launch_coefficients(Launcher& launch, const Conv& f, const Coefficients& c) {
  if (c.factor || c.loop)
    launch.elements(find_coefficients<block_threads>, f.nodes, f.row_offsets, f.sources, f.edge_weights, f.nodes,
                    f.options.normalization, c);
}

struct LayerScratch {
  float* between = nullptr;  // x W^T, or Â x where it is too wide for a panel
  LayerScratch(Pieces& pieces, int64_t nodes, int64_t inputs, int64_t outputs) {
    if (outputs < inputs) between = pieces.take<float>(nodes * outputs);
    else if (!fits_panel(inputs)) between = pieces.take<float>(nodes * inputs);
  }
};

template <class Conv>
void layer(Launcher& launch, int32_t precision, const Conv& f, const Coefficients& coefficients,
           const LayerScratch& scratch, float* y, int32_t activation) {
  const Aggregation graph = forward_graph(f, coefficients);
  if (f.outputs < f.inputs) {
    product_with_weight(launch, precision, f.x, f.weight, nullptr, scratch.between, f.nodes, f.inputs, f.outputs,
                        UPS_ACTIVATION_NONE);
    launch_aggregate(launch, graph, scratch.between, f.nodes, f.outputs, y, f.bias, activation);
  } else if (!fits_panel(f.inputs)) {
    launch_aggregate(launch, graph, f.x, f.nodes, f.inputs, scratch.between);
    product_with_weight(launch, precision, scratch.between, f.weight, f.bias, y, f.nodes, f.inputs, f.outputs,
                        activation);
  } else if (f.outputs > 0) {
    const auto kernel = precision == UPS_BF16   ? aggregate_and_multiply<PanelTile, UPS_BF16>
                        : precision == UPS_TF32 ? aggregate_and_multiply<PanelTile, UPS_TF32>
                                                : aggregate_and_multiply<PanelTile, UPS_FP32>;
    launch.grid(kernel, ceil_div(f.nodes, PanelTile::rows), 1, PanelTile::threads,
                static_cast<size_t>(panel_bytes(padded_depth<PanelTile>(f.inputs))),
                Layer{graph,
                      f.x,
                      f.nodes,
                      f.inputs,
                      f.outputs,
                      lanes_for(f.inputs),
                      {operand(f.weight, f.inputs, f.outputs, f.inputs)},
                      f.bias,
                      y,
                      activation});
  }
}

size_t forward_workspace(const Call& call) {
  const GraphConvForward<float> f(call);
  Pieces pieces(nullptr);
  (void)Coefficients(pieces, f.nodes, f.options);
  (void)LayerScratch(pieces, f.nodes, f.inputs, f.outputs);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const GraphConvForward<float> f(call);
  Pieces pieces(call.workspace);
  const Coefficients coefficients(pieces, f.nodes, f.options);
  const LayerScratch scratch(pieces, f.nodes, f.inputs, f.outputs);
  Launcher launch(call);
  launch_coefficients(launch, f, coefficients);
  layer(launch, call.precision, f, coefficients, scratch, f.y, f.options.activation);
  return launch.status();
}

struct BackwardScratch {
  Coefficients coefficients;
  LayerScratch layer;  // for gelu, which needs z
  DenseScratch dense;
  float* gathered;
  BackwardScratch(const GraphConvBackward<float>& f, Pieces& pieces)
      : coefficients(pieces, f.nodes, f.options), layer(pieces, f.nodes, f.inputs, f.outputs),
        dense(pieces, f.nodes, f.inputs, f.outputs, f.options.activation) {
    gathered = pieces.take<float>(f.nodes * f.outputs);
  }
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(GraphConvBackward<float>(call), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const GraphConvBackward<float> f(call);
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, pieces);
  const Coefficients& coefficients = scratch.coefficients;
  const bool gelu = f.options.activation == UPS_ACTIVATION_GELU;
  Launcher launch(call);
  launch_coefficients(launch, f, coefficients);
  if (gelu) layer(launch, call.precision, f, coefficients, scratch.layer, scratch.dense.dz, UPS_ACTIVATION_NONE);
  slope(launch, gelu ? scratch.dense.dz : f.y, f.dy, scratch.dense.dz, scratch.dense.parts, f.dbias, f.nodes, f.outputs,
        f.options.activation);
  if (f.dx || f.dweight) {
    // Under `row` an edge has the factor of the node that receives, which is the neighbour now.
    const Aggregation transposed{f.transposed_offsets,
                                 f.targets,
                                 f.edge_ids,
                                 f.edge_weights,
                                 coefficients.factor,
                                 coefficients.loop,
                                 f.options.normalization == UPS_NORMALIZATION_SYMMETRIC,
                                 coefficients.factor != nullptr};
    launch_aggregate(launch, transposed, scratch.dense.dz ? scratch.dense.dz : f.dy, f.nodes, f.outputs,
                     scratch.gathered);
    if (f.dx) product(launch, call.precision, scratch.gathered, f.weight, f.dx, f.nodes, f.outputs, f.inputs);
    if (f.dweight)
      transposed_product(launch, call.precision, scratch.gathered, f.x, scratch.dense.parts, f.dweight, f.nodes,
                         f.outputs, f.inputs);
  }
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "graph_conv_forward", forward, forward_workspace)
UPS_CUDA_VARIANT(backward, "graph_conv_backward", backward, backward_workspace)

}  // namespace
}  // namespace upsilon
