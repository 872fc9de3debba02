// SIMD. Work: 2 E F FLOP of aggregation and 2 N Fin Fout of product. The narrower side is
// aggregated:
//   Fin <= Fout: a tile of rows of Â x is gathered into scratch that stays in cache and multiplied
//                at once, so Â x is never written to memory;
//   Fin >  Fout: x W^T first (into the workspace), then its rows are gathered straight into y.
// Backward: g = Â^T dz (one gather over the transposed graph), then dx = g W and dW = g^T x; 4 N
// Fin Fout FLOP. The products fill the time: the gather costs a tenth of them for trees, and while
// a product runs, the rows that the next tile or chunk begins with are fetched. Floor for 64
// features: 2 N 64 64 FLOP a product against the FMA peak, which is above what x, y and the
// gradients take from the third-level cache, and about what they take from memory.
#include "graph_conv/graph_conv.h"
#include "graph_conv/graph_conv_call.h"

#define UPS_SIMD_SOURCE "graph_conv/graph_conv.cpu.cc"
#include "lib/simd/each_isa.h"
#include "graph_conv/edge_gradients.simd.h"
#include "lib/dense/matmul.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/graph/aggregate.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t tile_of_rows = 96;  // 96 x 64 floats are 24 KiB: gathered rows stay in L1
constexpr int64_t min_tasks = 32,
                  max_tiles = 8;  // of a task: its tiles follow each other, so that it can fetch ahead

// Calls body(first, rows, rows of the next tile of the task) for all tiles of `nodes` rows.
template <class Body>
void each_tile(Threads& threads, int64_t nodes, Body&& body) {
  const int64_t tiles = ceil_div(nodes, tile_of_rows),
                task_tiles = std::clamp<int64_t>(tiles / min_tasks, 1, max_tiles);
  threads.run(ceil_div(tiles, task_tiles), [&](int64_t task, int32_t worker) {
    const int64_t end = std::min(nodes, (task + 1) * task_tiles * tile_of_rows);
    for (int64_t first = task * task_tiles * tile_of_rows; first < end; first += tile_of_rows) {
      const int64_t rows = std::min(tile_of_rows, end - first);
      body(first, rows, std::min(tile_of_rows, end - first - rows), worker);
    }
  });
}

NodeFactors<float> take_factors(int64_t nodes, WorkspaceLayout& workspace) {
  return {workspace.reserve<float>(nodes), workspace.reserve<float>(nodes), workspace.reserve<float>(nodes)};
}

// How many of a row's sources are `node` itself: looked at a vector at a time, as there is seldom
// one.
inline int64_t own_edges(const int32_t* sources, int64_t count, int64_t node) {
  const Ints own = static_cast<int32_t>(node) - Ints{};
  Ints found{};
  each_vector(count, [&](int64_t e, int64_t here) { found |= load_some(sources + e, here) == own; });
  return any(found) ? std::count(sources, sources + count, static_cast<int32_t>(node)) : 0;
}

// As node_factors, for the nodes first .. end of a graph without edge weights.
template <class Graph>
void unweighted_node_factors(const Graph& f, int64_t first, int64_t end, const NodeFactors<float>& factors) {
  const ups_graph_conv_options& options = f.options;
  float* degrees = factors.target + first;
  for (int64_t i = first; i < end; ++i) {
    const int64_t begin = f.row_offsets[i], edges = f.row_offsets[i + 1] - begin;
    const int64_t others = options.self_loops ? edges + 1 - own_edges(f.sources + begin, edges, i) : edges;
    degrees[i - first] = static_cast<float>(others);
  }
  std::fill(factors.loop + first, factors.loop + end, 1.0f);
  if (options.normalization != UPS_NORMALIZATION_SYMMETRIC)
    std::fill(factors.source + first, factors.source + end, 1.0f);
  if (options.normalization == UPS_NORMALIZATION_NONE) {
    std::fill(factors.target + first, factors.target + end, 1.0f);
    return;
  }
  each_vector(end - first, [&](int64_t i, int64_t here) {
    const Floats degree = load_some(degrees + i, here), one = broadcast(1.0f);
    const bool symmetric = options.normalization == UPS_NORMALIZATION_SYMMETRIC;
    const Floats factor = degree == zero() ? zero() : one / (symmetric ? sqrt(degree) : degree);
    store_some(degrees + i, factor, here);
    if (symmetric) store_some(factors.source + first + i, factor, here);
  });
}

template <class Graph>
void all_node_factors(const Call& call, const Graph& f, const NodeFactors<float>& factors) {
  constexpr int64_t piece = 2048;
  call.threads->run(ceil_div(f.nodes, piece), [&](int64_t task, int32_t) {
    const int64_t first = task * piece, end = std::min(f.nodes, first + piece);
    if (!f.edge_weights) return unweighted_node_factors(f, first, end, factors);
    for (int64_t i = first; i < end; ++i) node_factors(i, f.row_offsets, f.sources, f.edge_weights, f.options, factors);
  });
}

// Â, and its transpose, which swaps the roles of the two factors.
template <class Graph>
Aggregation adjacency(const Graph& f, const NodeFactors<float>& factors) {
  const bool symmetric = f.options.normalization == UPS_NORMALIZATION_SYMMETRIC;
  const bool none = f.options.normalization == UPS_NORMALIZATION_NONE;
  return {f.row_offsets,
          f.sources,
          nullptr,
          f.edge_weights,
          symmetric ? factors.source : nullptr,
          none ? nullptr : factors.target,
          f.options.self_loops ? factors.loop : nullptr,
          f.edges};
}
Aggregation transposed_adjacency(const GraphConvBackward<float>& f, const NodeFactors<float>& factors) {
  const bool symmetric = f.options.normalization == UPS_NORMALIZATION_SYMMETRIC;
  const bool none = f.options.normalization == UPS_NORMALIZATION_NONE;
  return {f.transposed_offsets,
          f.targets,
          f.edge_ids,
          f.edge_weights,
          none ? nullptr : factors.target,
          symmetric ? factors.source : nullptr,
          f.options.self_loops ? factors.loop : nullptr,
          f.edges};
}

struct ForwardScratch {
  NodeFactors<float> factors;
  float *packed, *product, *gathered;
  int64_t gathered_floats;

  template <class Graph>
  ForwardScratch(const Graph& f, int32_t workers, WorkspaceLayout& workspace)
      : factors(take_factors(f.nodes, workspace)), packed(workspace.reserve<float>(packed_size(f.inputs, f.outputs))),
        product(workspace.reserve<float>(f.inputs > f.outputs ? f.nodes * f.outputs : 0)),
        gathered_floats(round_up(tile_of_rows * f.inputs, 16)) {
    gathered = workspace.reserve<float>(f.inputs > f.outputs ? 0 : gathered_floats * workers);
  }
};

// y = act(Â x W^T + b), or without the activation for a backward pass that wants z.
template <class Graph>
void convolve(const Call& call, const Graph& f, const ForwardScratch& scratch, int32_t activation, float* y) {
  Threads& threads = *call.threads;
  const Aggregation graph = adjacency(f, scratch.factors);
  const bool relu = activation == UPS_ACTIVATION_RELU;
  pack_weight(threads, f.weight, f.inputs, f.outputs, scratch.packed);
  if (f.inputs > f.outputs) {
    each_tile(threads, f.nodes, [&](int64_t first, int64_t rows, int64_t, int32_t) {
      multiply(Order::rows, f.x + first * f.inputs, f.inputs, rows, scratch.packed, f.inputs, f.outputs,
               scratch.product + first * f.outputs, f.outputs, {});
    });
    each_tile(threads, f.nodes, [&](int64_t first, int64_t rows, int64_t, int32_t) {
      float* tile = y + first * f.outputs;
      aggregate_rows(graph, first, rows, scratch.product, f.outputs, tile);
      for (int64_t r = 0; r < rows; ++r) finish_row(tile + r * f.outputs, f.bias, f.outputs, relu);
      activate_rows(tile, rows * f.outputs, activation);
    });
    return;
  }
  each_tile(threads, f.nodes, [&](int64_t first, int64_t rows, int64_t next_rows, int32_t worker) {
    float* gathered = scratch.gathered + worker * scratch.gathered_floats;
    float* tile = y + first * f.outputs;
    aggregate_rows(graph, first, rows, f.x, f.inputs, gathered);
    multiply(
        Order::rows, gathered, f.inputs, rows, scratch.packed, f.inputs, f.outputs, tile, f.outputs,
        {f.bias, false, relu},
        {{f.x + (first + rows) * f.inputs, tile + rows * f.outputs}, {next_rows * f.inputs, next_rows * f.outputs}});
    activate_rows(tile, rows * f.outputs, activation);
  });
}

ups_status forward(const Call& call) {
  const GraphConvForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  all_node_factors(call, f, scratch.factors);
  convolve(call, f, scratch, f.options.activation, f.y);
  return UPS_OK;
}

// Whether dz = dy act' is formed as its rows are gathered, from dy and y, and not before. That
// reads E + N rows of y; forming it before reads N rows of dy and of y, writes N and reads them
// again. The edges' gradients need dz itself.
bool gathers_slope(const GraphConvBackward<float>& f) {
  return f.options.activation == UPS_ACTIVATION_RELU && f.edges <= 3 * f.nodes && !f.dedge_weights;
}

// total[c] += sum over the rows of dy[r, c], where y[r, c] > 0.
void add_rows_of_relu(const float* y, const float* dy, int64_t rows, int64_t columns, float* total) {
  each_vector(columns, [&](int64_t c, int64_t here) {
    Floats sums = load_some(total + c, here);
    for (int64_t r = 0; r < rows; ++r) {
      const Floats slope = load_some(y + r * columns + c, here) > zero() ? broadcast(1.0f) : zero();
      sums += load_some(dy + r * columns + c, here) * slope;
    }
    store_some(total + c, sums, here);
  });
}

struct BackwardScratch {
  ForwardScratch forward;
  GroupSums sums;  // dweight, then dbias
  float *packed_weight, *dz;
  float *gathered, *packed_x;  // per worker
  int64_t gathered_floats, packed_x_floats;

  BackwardScratch(const GraphConvBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : forward(f, workers, workspace),
        sums(ceil_div(f.nodes, chunk_rows), f.outputs * f.inputs + f.outputs, workspace),
        packed_weight(workspace.reserve<float>(packed_size(f.outputs, f.inputs))),
        dz(workspace.reserve<float>(
            f.options.activation == UPS_ACTIVATION_NONE || gathers_slope(f) ? 0 : f.nodes * f.outputs)),
        gathered_floats(round_up(chunk_rows * f.outputs, 16)), packed_x_floats(packed_rows_size(chunk_rows, f.inputs)) {
    gathered = workspace.reserve<float>(gathered_floats * workers);
    packed_x = workspace.reserve<float>(packed_x_floats * workers);
  }
};

ups_status backward(const Call& call) {
  const GraphConvBackward<float> f(call);
  Threads& threads = *call.threads;
  WorkspaceLayout workspace(call.workspace);
  const auto scratch = make_scratch<BackwardScratch>(call, f, workspace);
  const auto edge_scratch = make_scratch<EdgeScratch>(call, f, workspace);
  const int32_t activation = f.options.activation;
  all_node_factors(call, f, scratch.forward.factors);
  pack_weight_for_gradient(threads, f.weight, f.outputs, f.inputs, scratch.packed_weight);

  const float* dz = f.dy;
  const bool with_slope = gathers_slope(f);
  if (activation != UPS_ACTIVATION_NONE && !with_slope) {
    dz = scratch.dz;
    if (activation == UPS_ACTIVATION_GELU) convolve(call, f, scratch.forward, UPS_ACTIVATION_NONE, scratch.dz);
    threads.run(ceil_div(f.nodes, chunk_rows), [&](int64_t task, int32_t) {
      const int64_t first = task * chunk_rows * f.outputs;
      const int64_t count = std::min(chunk_rows, f.nodes - task * chunk_rows) * f.outputs;
      slope_rows(f.y + first, f.dy + first, scratch.dz + first, count, activation);
    });
  }

  Aggregation graph = transposed_adjacency(f, scratch.forward.factors);
  if (with_slope) graph.relu_of = f.y;
  scratch.sums.run(threads, [&](int64_t chunk, float* sum, int32_t worker) {
    const int64_t first = chunk * chunk_rows, rows = std::min(chunk_rows, f.nodes - first);
    const int64_t next = first + rows, next_rows = std::min(chunk_rows, f.nodes - next);
    const float* x = f.x + first * f.inputs;
    float* gathered = scratch.gathered + worker * scratch.gathered_floats;
    if (f.dx || f.dweight) aggregate_rows(graph, first, rows, dz, f.outputs, gathered);
    if (f.dx) {
      float* dx = f.dx + first * f.inputs;
      multiply(Order::rows, gathered, f.outputs, rows, scratch.packed_weight, f.outputs, f.inputs, dx, f.inputs, {},
               {{x, dx + rows * f.inputs}, {f.dweight ? rows * f.inputs : 0, next_rows * f.inputs}});
    }
    if (f.dweight)
      add_weight_gradient(gathered, f.outputs, x, f.inputs, rows, scratch.packed_x + worker * scratch.packed_x_floats,
                          sum,
                          {{dz + next * f.outputs, f.y + next * f.outputs},
                           {next_rows * f.outputs, with_slope ? next_rows * f.outputs : 0}});
    if (!f.dbias) return;
    float* bias_sum = sum + f.outputs * f.inputs;
    if (with_slope) add_rows_of_relu(f.y + first * f.outputs, dz + first * f.outputs, rows, f.outputs, bias_sum);
    else add_rows(dz + first * f.outputs, f.outputs, rows, f.outputs, bias_sum);
  });
  if (f.dweight) scratch.sums.total(threads, 0, f.outputs * f.inputs, f.dweight);
  if (f.dbias) scratch.sums.total(threads, f.outputs * f.inputs, f.outputs, f.dbias);
  if (f.dedge_weights) edge_gradients(call, f, scratch.forward.factors, dz, edge_scratch);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, GraphConvForwardCall, forward, workspace_of<GraphConvForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, GraphConvBackwardCall, backward,
                workspace_of<GraphConvBackward<float>, BackwardScratch, EdgeScratch>)

UPS_SIMD_END
