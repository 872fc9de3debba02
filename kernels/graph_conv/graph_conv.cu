// CUDA: one kernel finds the coefficients of Â, then the narrower side is aggregated: for Fin <=
// Fout Â x is gathered, 64 rows at a time, into shared memory and multiplied there; otherwise x W^T
// comes first. Backward has two ways:
//   G = Â^T dz, dx = G W, dW = G^T x               one sum over the edges, Fout wide
//   dx = Â^T (dz W), dW = dz^T (Â x)               one for each gradient that is wanted, Fin wide
// with the same products of matrices; the way with the fewer E F is taken. Floor: the gathered
// rows, or 2 N Fin Fout FLOP a product.
#include "graph_conv/graph_conv.h"

#include "lib/graph/aggregate.cuh"
#include "lib/dense/dense.h"
#include "lib/graph/edge_products.cuh"
#include "lib/dense/panel.cuh"
#include "graph_conv/graph_conv_call.h"

namespace upsilon {
namespace {

struct Coefficients {
  float *factor = nullptr, *loop = nullptr;  // null where not needed
  int32_t* last_loop = nullptr;  // the loop that counts, -1 where there is none
  float* later_degree;  // of the later pieces of long rows
  int32_t* later_loop;
  Coefficients(WorkspaceLayout& workspace, int64_t nodes, int64_t edges, const ups_graph_conv_options& options) {
    if (options.normalization != UPS_NORMALIZATION_NONE) factor = workspace.reserve<float>(nodes);
    if (options.self_loops) loop = workspace.reserve<float>(nodes), last_loop = workspace.reserve<int32_t>(nodes);
    later_degree = workspace.reserve<float>(later_windows<edge_piece>(edges));
    later_loop = workspace.reserve<int32_t>(later_windows<edge_piece>(edges));
  }
};

// What the edges of a piece add to the degree of its row, and the last loop among them.
struct PieceDegree {
  float degree = 0.0f;
  int32_t last_loop = -1;
};
UPS_ON_DEVICE PieceDegree degree_of(const RowPiece& piece, const int32_t* sources, const float* weights, bool loops) {
  PieceDegree found;
  for (int64_t e = piece.begin; e < piece.end; ++e)
    if (loops && sources[e] == piece.row) found.last_loop = static_cast<int32_t>(e);
    else found.degree += weights ? weights[e] : 1.0f;
  return found;
}

template <int threads>
UPS_KERNEL_LB(threads)
find_later_degrees(const int32_t* fault, const int32_t* offsets, const int32_t* sources, const float* weights,
                   int64_t nodes, int64_t windows, Coefficients coefficients) {
  if (*fault != 0) return;
  for (int64_t window = global_thread(); window < windows; window += global_threads()) {
    const RowPiece piece = later_piece<edge_piece>(offsets, nodes, window);
    if (piece.row < 0) continue;
    const PieceDegree found = degree_of(piece, sources, weights, coefficients.loop != nullptr);
    coefficients.later_degree[window] = found.degree;
    coefficients.later_loop[window] = found.last_loop;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
find_coefficients(const int32_t* fault, const int32_t* offsets, const int32_t* sources, const float* weights,
                  int64_t nodes, int32_t normalization, Coefficients coefficients) {
  if (*fault != 0) return;
  for (int64_t node = global_thread(); node < nodes; node += global_threads()) {
    const bool loops = coefficients.loop != nullptr;
    PieceDegree found = degree_of(first_piece<edge_piece>(offsets, node), sources, weights, loops);
    each_later_piece<edge_piece>(offsets, node, [&](int64_t window) {
      found.degree += coefficients.later_degree[window];
      if (coefficients.later_loop[window] >= 0) found.last_loop = coefficients.later_loop[window];
    });
    float degree = found.degree;
    if (loops) {
      const float loop = weights && found.last_loop >= 0 ? weights[found.last_loop] : 1.0f;
      degree += loop;
      coefficients.loop[node] = loop;
      coefficients.last_loop[node] = found.last_loop;
    }
    if (coefficients.factor)
      coefficients.factor[node] = degree == 0.0f                                 ? 0.0f
                                  : normalization == UPS_NORMALIZATION_SYMMETRIC ? 1.0f / sqrtf(degree)
                                                                                 : 1.0f / degree;
  }
}

struct Layer {
  Aggregation graph;
  const float *x, *later;
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
      aggregate_row(layer.graph, layer.x, layer.later, layer.inputs, padded, first_node + row, lane, layer.lanes,
                    [&](int64_t c, float sum) { to[c] = sum; });
    else
      for (int64_t c = lane; c < padded; c += layer.lanes) to[c] = 0.0f;
  }
  multiply_panel<Shape, precision>(panel, static_cast<int>(stride), layer.weight, layer.inputs, memory[0],
                                   [&](int row, int64_t column, float sum) {
                                     const int64_t node = first_node + row;
                                     if (node >= layer.nodes || column >= layer.outputs) return;
                                     const float z = layer.bias ? sum + layer.bias[column] : sum;
                                     layer.y[node * layer.outputs + column] = activate_value(z, layer.activation);
                                   });
}

bool fits_panel(int64_t inputs) { return panel_bytes(padded_depth<PanelTile>(inputs)) <= max_panel_bytes; }

template <class Conv>
Aggregation forward_graph(const Conv& f, const Coefficients& c) {
  return {f.row_offsets,
          f.sources,
          nullptr,
          f.edge_weights,
          f.edges,
          c.factor,
          c.loop,
          c.factor != nullptr,
          f.options.normalization == UPS_NORMALIZATION_SYMMETRIC};
}

// Under `row` an edge has the factor of the node that receives, which is the neighbour now.
Aggregation transposed_graph(const GraphConvBackward<float>& f, const Coefficients& c) {
  return {f.transposed_offsets,
          f.targets,
          f.edge_ids,
          f.edge_weights,
          f.edges,
          c.factor,
          c.loop,
          f.options.normalization == UPS_NORMALIZATION_SYMMETRIC,
          c.factor != nullptr};
}

template <class Conv>
void launch_coefficients(Launcher& launch, const Conv& f, const Coefficients& c) {
  if (!c.factor && !c.loop) return;
  const int64_t windows = later_windows<edge_piece>(f.edges);
  launch.elements(find_later_degrees<block_threads>, windows, f.row_offsets, f.sources, f.edge_weights, f.nodes,
                  windows, c);
  launch.elements(find_coefficients<block_threads>, f.nodes, f.row_offsets, f.sources, f.edge_weights, f.nodes,
                  f.options.normalization, c);
}

struct LayerScratch {
  float* between = nullptr;  // x W^T, or Â x where it is too wide for a panel
  float* later;
  LayerScratch(WorkspaceLayout& workspace, int64_t nodes, int64_t edges, int64_t inputs, int64_t outputs) {
    later = workspace.reserve<float>(later_floats(edges, std::min(inputs, outputs)));
    if (outputs < inputs) between = workspace.reserve<float>(nodes * outputs);
    else if (!fits_panel(inputs)) between = workspace.reserve<float>(nodes * inputs);
  }
};

template <class Conv>
void layer(Launcher& launch, int32_t precision, const Conv& f, const Coefficients& coefficients,
           const LayerScratch& scratch, float* y, int32_t activation) {
  const Aggregation graph = forward_graph(f, coefficients);
  if (f.outputs < f.inputs) {
    product_with_weight(launch, precision, f.x, f.weight, nullptr, scratch.between, f.nodes, f.inputs, f.outputs,
                        UPS_ACTIVATION_NONE);
    launch_aggregate(launch, graph, scratch.between, f.nodes, f.outputs, scratch.later, y, f.bias, activation);
  } else if (!fits_panel(f.inputs)) {
    launch_aggregate(launch, graph, f.x, f.nodes, f.inputs, scratch.later, scratch.between);
    product_with_weight(launch, precision, scratch.between, f.weight, f.bias, y, f.nodes, f.inputs, f.outputs,
                        activation);
  } else if (f.outputs > 0) {
    const auto kernel = precision == UPS_BF16   ? aggregate_and_multiply<PanelTile, UPS_BF16>
                        : precision == UPS_TF32 ? aggregate_and_multiply<PanelTile, UPS_TF32>
                                                : aggregate_and_multiply<PanelTile, UPS_FP32>;
    launch_later_pieces(launch, graph, f.x, f.nodes, f.inputs, scratch.later);
    launch.grid(kernel, ceil_div(f.nodes, PanelTile::rows), 1, PanelTile::threads,
                static_cast<size_t>(panel_bytes(padded_depth<PanelTile>(f.inputs))),
                Layer{graph,
                      f.x,
                      scratch.later,
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

struct ForwardScratch {
  Coefficients coefficients;
  LayerScratch layer;
  ForwardScratch(const GraphConvForward<float>& f, WorkspaceLayout& workspace)
      : coefficients(workspace, f.nodes, f.edges, f.options), layer(workspace, f.nodes, f.edges, f.inputs, f.outputs) {}
};

ups_status forward(const Call& call) {
  const GraphConvForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  Launcher launch(call);
  launch_coefficients(launch, f, scratch.coefficients);
  layer(launch, call.precision, f, scratch.coefficients, scratch.layer, f.y, f.options.activation);
  return launch.status();
}

// ---- the gradient of the edge weights; the formulas are in graph_conv.h ----

// shares[item] = the sum of c q over a piece, without loops. The q of the graph's edges stand at
// its positions.
template <int threads>
UPS_KERNEL_LB(threads)
sum_shares(const int32_t* fault, Aggregation graph, const float* q, int64_t nodes, int64_t items, float* shares) {
  if (*fault != 0) return;
  for (int64_t item = global_thread(); item < items; item += global_threads()) {
    const RowPiece piece = piece_of_item<edge_piece>(graph.offsets, nodes, item);
    float sum = 0.0f;
    for (int64_t e = piece.begin; e < piece.end; ++e) {
      const int64_t neighbour = graph.neighbours[e];
      if (graph.loop && neighbour == piece.row) continue;
      sum += graph.coefficient(piece.row, neighbour, graph.weight(e)) * q[graph.positions ? graph.positions[e] : e];
    }
    shares[item] = sum;
  }
}

struct DegreeGradient {
  Aggregation graph, transposed;
  const float *in, *out;  // sums of shares; out null: not symmetric
  const float *a, *b;  // q of the loop is the product of their rows
  int64_t nodes, width;
};

// of_degree[node] = dL/dd
template <int threads>
UPS_KERNEL_LB(threads)
find_degree_gradients(const int32_t* fault, DegreeGradient d, float* of_degree) {
  if (*fault != 0) return;
  const auto tile = ups::Tile<product_lanes>::here();
  const int64_t tiles = global_threads() / product_lanes;
  for (int64_t node = global_thread() / product_lanes; node < d.nodes; node += tiles) {
    float of_loop = 0.0f;
    if (d.graph.loop)
      of_loop = d.graph.coefficient(node, node, d.graph.loop[node]) *
                product_of_rows(tile, d.a + node * d.width, d.b + node * d.width, d.width);
    if (tile.rank != 0) continue;
    const auto total = [&](const Aggregation& graph, const float* shares) {
      float sum = shares[node];
      each_later_piece<edge_piece>(graph.offsets, node, [&](int64_t window) { sum += shares[d.nodes + window]; });
      return sum + of_loop;
    };
    const float factor = d.graph.factor[node], in = total(d.graph, d.in);
    of_degree[node] = d.out ? -0.5f * factor * factor * (in + total(d.transposed, d.out)) : -factor * in;
  }
}

// Makes dL/dw of q, in place; of_degree is null where the degrees do not matter.
template <int threads>
UPS_KERNEL_LB(threads)
finish_edge_gradients(const int32_t* fault, Aggregation graph, const int32_t* last_loop, const float* of_degree,
                      int64_t nodes, int64_t items, float* q) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % product_lanes;
  for (int64_t item = global_thread() / product_lanes; item < items; item += global_threads() / product_lanes) {
    const RowPiece piece = piece_of_item<edge_piece>(graph.offsets, nodes, item);
    for (int64_t e = piece.begin + lane; e < piece.end; e += product_lanes) {
      const int64_t neighbour = graph.neighbours[e];
      const bool counts = !last_loop || neighbour != piece.row || e == last_loop[piece.row];
      const float gradient =
          graph.coefficient(piece.row, neighbour, 1.0f) * q[e] + (of_degree ? of_degree[piece.row] : 0.0f);
      q[e] = counts ? gradient : 0.0f;
    }
  }
}

struct EdgeScratch {
  float *product = nullptr, *in = nullptr, *out = nullptr, *of_degree = nullptr;
  EdgeScratch(const GraphConvBackward<float>& f, WorkspaceLayout& workspace) {
    if (!f.dedge_weights) return;
    const int64_t items = f.nodes + later_windows<edge_piece>(f.edges);
    product = workspace.reserve<float>(f.nodes * std::min(f.inputs, f.outputs));
    if (f.options.normalization == UPS_NORMALIZATION_NONE) return;
    in = workspace.reserve<float>(items);
    of_degree = workspace.reserve<float>(f.nodes);
    if (f.options.normalization == UPS_NORMALIZATION_SYMMETRIC) out = workspace.reserve<float>(items);
  }
};

// The narrower side is multiplied: <W^T dz_i, x_j> or <dz_i, W x_j>. `has_product`: dz W is in the
// scratch already.
void edge_gradients(Launcher& launch, int32_t precision, const GraphConvBackward<float>& f, const Coefficients& c,
                    const float* dz, bool has_product, const EdgeScratch& scratch) {
  const bool by_inputs = f.inputs <= f.outputs;
  const int64_t width = std::min(f.inputs, f.outputs), items = f.nodes + later_windows<edge_piece>(f.edges);
  if (by_inputs && !has_product)
    product(launch, precision, dz, f.weight, scratch.product, f.nodes, f.outputs, f.inputs);
  else if (!by_inputs)
    product_with_weight(launch, precision, f.x, f.weight, nullptr, scratch.product, f.nodes, f.inputs, f.outputs,
                        UPS_ACTIVATION_NONE);
  const float *a = by_inputs ? scratch.product : dz, *b = by_inputs ? f.x : scratch.product;
  const Aggregation graph = forward_graph(f, c), transposed = transposed_graph(f, c);
  launch_edge_products(launch, graph, a, b, f.nodes, width, f.dedge_weights);
  if (f.nodes == 0) return;
  if (scratch.in) launch.elements(sum_shares<block_threads>, items, graph, f.dedge_weights, f.nodes, items, scratch.in);
  if (scratch.out)
    launch.elements(sum_shares<block_threads>, items, transposed, f.dedge_weights, f.nodes, items, scratch.out);
  if (scratch.of_degree)
    launch.elements(find_degree_gradients<block_threads>, f.nodes * product_lanes,
                    DegreeGradient{graph, transposed, scratch.in, scratch.out, a, b, f.nodes, width},
                    scratch.of_degree);
  launch.elements(finish_edge_gradients<block_threads>, items * product_lanes, graph, c.last_loop, scratch.of_degree,
                  f.nodes, items, f.dedge_weights);
}

// ---- backward ----

// Whether the sums over the edges are Fin wide.
bool aggregates_inputs(const GraphConvBackward<float>& f) {
  return (int64_t{f.dx != nullptr} + int64_t{f.dweight != nullptr}) * f.inputs < f.outputs;
}

struct BackwardScratch {
  Coefficients coefficients;
  LayerScratch layer;  // for gelu, which needs z
  DenseScratch dense;
  float *gathered, *product = nullptr, *later;
  EdgeScratch edge;
  BackwardScratch(const GraphConvBackward<float>& f, WorkspaceLayout& workspace)
      : coefficients(workspace, f.nodes, f.edges, f.options), layer(workspace, f.nodes, f.edges, f.inputs, f.outputs),
        dense(workspace, f.nodes, f.inputs, f.outputs, f.options.activation), edge(f, workspace) {
    const bool by_inputs = aggregates_inputs(f);
    const int64_t width = by_inputs ? f.inputs : f.outputs;
    gathered = workspace.reserve<float>(f.nodes * width);
    later = workspace.reserve<float>(later_floats(f.edges, width));
    if (by_inputs) product = edge.product ? edge.product : workspace.reserve<float>(f.nodes * f.inputs);
  }
};

ups_status backward(const Call& call) {
  const GraphConvBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const Coefficients& coefficients = scratch.coefficients;
  const bool gelu = f.options.activation == UPS_ACTIVATION_GELU;
  Launcher launch(call);
  launch_coefficients(launch, f, coefficients);
  if (gelu) layer(launch, call.precision, f, coefficients, scratch.layer, scratch.dense.dz, UPS_ACTIVATION_NONE);
  slope(launch, gelu ? scratch.dense.dz : f.y, f.dy, scratch.dense.dz, scratch.dense.parts, f.dbias, f.nodes, f.outputs,
        f.options.activation);
  const float* const dz = scratch.dense.dz ? scratch.dense.dz : f.dy;
  const Aggregation transposed = transposed_graph(f, coefficients);
  if (aggregates_inputs(f)) {
    if (f.dx) {
      product(launch, call.precision, dz, f.weight, scratch.product, f.nodes, f.outputs, f.inputs);
      launch_aggregate(launch, transposed, scratch.product, f.nodes, f.inputs, scratch.later, f.dx);
    }
    if (f.dweight) {
      launch_aggregate(launch, forward_graph(f, coefficients), f.x, f.nodes, f.inputs, scratch.later, scratch.gathered);
      transposed_product(launch, call.precision, dz, scratch.gathered, scratch.dense.parts, f.dweight, f.nodes,
                         f.outputs, f.inputs);
    }
  } else if (f.dx || f.dweight) {
    launch_aggregate(launch, transposed, dz, f.nodes, f.outputs, scratch.later, scratch.gathered);
    if (f.dx) product(launch, call.precision, scratch.gathered, f.weight, f.dx, f.nodes, f.outputs, f.inputs);
    if (f.dweight)
      transposed_product(launch, call.precision, scratch.gathered, f.x, scratch.dense.parts, f.dweight, f.nodes,
                         f.outputs, f.inputs);
  }
  if (f.dedge_weights)
    edge_gradients(launch, call.precision, f, coefficients, dz, aggregates_inputs(f) && f.dx, scratch.edge);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, GraphConvForwardCall, forward, workspace_of<GraphConvForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, GraphConvBackwardCall, backward, workspace_of<GraphConvBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
