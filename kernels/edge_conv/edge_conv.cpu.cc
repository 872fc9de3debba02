// SIMD. The first layer is linear in x_i and x_j apart, W [x_i, x_j - x_i] = u_i + v_j with u = x
// (W_1 - W_2)^T + b and v = x W_2^T: two products over the nodes instead of one over the edges.
// Tiles of edges add up u and v, pass through the other layers while their values stay in L2, and
// are reduced at once: no row of an edge is ever written to memory. Floor: 4 N F M_0 + 2 E (sum of
// M_l M_(l-1), l > 0) FLOP; with one layer the gather of E M_0 floats from L2.
//
// Backward: what arrives at u_i + v_j is summed over the edges of i (du) and of j (dv), then dx =
// du (W_1 - W_2) + dv W_2 and so on over the nodes. With one layer both sums compute the values
// again. With more layers the edges come in fixed slices, whose gradients lie in a buffer until
// both sums have taken them, in the order of the edges.
#include "edge_conv/edge_conv.h"
#include "edge_conv/edge_conv_call.h"

#define UPS_SIMD_SOURCE "edge_conv/edge_conv.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/matmul.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/elementary.simd.h"
#include "lib/simd/rows.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_nodes = 64;  // of the reductions over edges
constexpr int64_t max_tile_edges = 192;  // a multiple of every tile height
constexpr int64_t tile_floats = 65536;  // what a tile may take of L2
constexpr int64_t min_slice_tiles = 96, max_slices = 64;

int64_t edges_of_tile(int64_t edge_floats) {
  return std::clamp(tile_floats / std::max<int64_t>(edge_floats, 1) / 12 * 12, int64_t{24}, max_tile_edges);
}

// ---- the first layer, over the nodes ------------------------------------------------------------

// uv[i] = [u_i, v_i], from the stacked weight [W_1 - W_2; W_2].
struct NodeProducts {
  int64_t columns;
  float *weight, *bias, *packed, *uv;

  NodeProducts(const EdgeLayers<float>& f, WorkspaceLayout& workspace) : columns(2 * f.outputs(0)) {
    weight = workspace.reserve<float>(columns * f.features);
    bias = workspace.reserve<float>(columns);
    packed = workspace.reserve<float>(packed_size(f.features, columns));
    uv = workspace.reserve<float>(f.nodes * columns);
  }

  void compute(Threads& threads, const EdgeLayers<float>& f) const {
    const int64_t outputs = f.outputs(0), features = f.features;
    for (int64_t out = 0; out < outputs; ++out)
      for (int64_t in = 0; in < features; ++in) {
        const float second = f.weight[0][out * 2 * features + features + in];
        weight[out * features + in] = f.weight[0][out * 2 * features + in] - second;
        weight[(outputs + out) * features + in] = second;
      }
    std::fill_n(bias, columns, 0.0f);
    if (f.bias[0]) std::copy_n(f.bias[0], outputs, bias);
    pack_weight(threads, weight, features, columns, packed);
    threads.run(ceil_div(f.nodes, chunk_rows), [&](int64_t task, int32_t) {
      const int64_t first = task * chunk_rows, rows = std::min(chunk_rows, f.nodes - first);
      multiply(Order::rows, f.x + first * features, features, rows, packed, features, columns, uv + first * columns,
               columns, {bias, false, false});
    });
  }
  const float* u(int64_t i) const { return uv + i * columns; }
  const float* v(int64_t j) const { return uv + j * columns + columns / 2; }
};

// The node whose row holds edge e.
int64_t node_of(const EdgeLayers<float>& f, int64_t e) {
  return std::upper_bound(f.row_offsets, f.row_offsets + f.nodes + 1, e) - f.row_offsets - 1;
}

// z[r] = u + v of the edges first .. first + count, of which the first is in the row of `node`.
void add_ends(const EdgeLayers<float>& f, const NodeProducts& nodes, int64_t node, int64_t first, int64_t count,
              float* z) {
  const int64_t outputs = f.outputs(0);
  for (int64_t e = first; e < first + count; ++e, z += outputs) {
    while (f.row_offsets[node + 1] <= e) ++node;
    const float *u = nodes.u(node), *v = nodes.v(f.sources[e]);
    each_vector(outputs, [&](int64_t c, int64_t here) {
      store_some(z + c, load_some(u + c, here) + load_some(v + c, here), here);
    });
  }
}

// ---- all layers of a tile of edges --------------------------------------------------------------

struct PackedLayers {
  float* layer[max_edge_layers] = {};  // for products with W^T; the first is the nodes'

  PackedLayers(const EdgeLayers<float>& f, int32_t layers, WorkspaceLayout& workspace) {
    for (int32_t l = 1; l < layers; ++l) layer[l] = workspace.reserve<float>(packed_size(f.inputs(l), f.outputs(l)));
  }
  void pack(Threads& threads, const EdgeLayers<float>& f) const {
    for (int32_t l = 1; l < f.layers; ++l)
      if (layer[l]) pack_weight(threads, f.weight[l], f.inputs(l), f.outputs(l), layer[l]);
  }
};

// values[rows, outputs] of layer l > 0 from those of the layer before. Where `sums` is given it
// keeps x W^T + b.
void apply_layer(const EdgeLayers<float>& f, int32_t l, const PackedLayers& packed, const float* x, int64_t rows,
                 float* values, float* sums) {
  const int64_t outputs = f.outputs(l);
  float* to = sums ? sums : values;
  multiply(Order::rows, x, f.inputs(l), rows, packed.layer[l], f.inputs(l), outputs, to, outputs,
           {f.bias[l], false, f.activation[l] == UPS_ACTIVATION_RELU});
  if (sums) std::copy_n(sums, rows * outputs, values);
  activate_rows(values, rows * outputs, f.activation[l]);
}

// act(z) in place, for the sums of the first layer.
void activate_ends(float* z, int64_t count, int32_t activation) {
  if (activation != UPS_ACTIVATION_RELU) return activate_rows(z, count, activation);
  each_vector(count, [&](int64_t i, int64_t here) {
    const Floats value = load_some(z + i, here);
    store_some(z + i, value < zero() ? zero() : value, here);
  });
}

// Two buffers that layers write into in turns; the results of a tile of edges.
const float* values_of_edges(const EdgeLayers<float>& f, const NodeProducts& nodes, const PackedLayers& packed,
                             int64_t node, int64_t first, int64_t count, float* buffer, int64_t buffer_floats) {
  add_ends(f, nodes, node, first, count, buffer);
  activate_ends(buffer, count * f.outputs(0), f.activation[0]);
  const float* values = buffer;
  for (int32_t l = 1; l < f.layers; ++l) {
    float* next = buffer + l % 2 * buffer_floats;
    apply_layer(f, l, packed, values, count, next, nullptr);
    values = next;
  }
  return values;
}

Ints replaces(Floats next, Floats largest) { return (next > largest) | ((next != next) & (largest == largest)); }

// ---- forward ------------------------------------------------------------------------------------

struct ForwardScratch {
  NodeProducts nodes;
  PackedLayers packed;
  int64_t tile, buffer_floats;
  float* buffers;  // two a worker
  int64_t result_floats;
  float* largest;  // a row of results a worker

  ForwardScratch(const EdgeLayers<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : nodes(f, workspace), packed(f, f.layers, workspace), tile(edges_of_tile(2 * f.widest_layer())),
        buffer_floats(round_up(tile * f.widest_layer(), 16)), result_floats(round_up(f.results(), 16)) {
    buffers = workspace.reserve<float>(2 * buffer_floats * workers);
    largest = workspace.reserve<float>(result_floats * workers);
  }
};

// Calls row(node, first edge, edges, values) for the edges of the nodes first .. end, in pieces
// that end where a tile does. The pieces of a node come in order.
template <class Row>
void each_piece(const EdgeLayers<float>& f, const ForwardScratch& scratch, int64_t first, int64_t end, int32_t worker,
                Row&& row) {
  float* buffer = scratch.buffers + 2 * scratch.buffer_floats * worker;
  int64_t node = first;
  for (int64_t e = f.row_offsets[first]; e < f.row_offsets[end]; e += scratch.tile) {
    const int64_t count = std::min<int64_t>(scratch.tile, f.row_offsets[end] - e);
    while (f.row_offsets[node + 1] <= e) ++node;
    const float* values =
        values_of_edges(f, scratch.nodes, scratch.packed, node, e, count, buffer, scratch.buffer_floats);
    for (int64_t at = e; at < e + count;) {
      while (f.row_offsets[node + 1] <= at) ++node;
      const int64_t stop = std::min<int64_t>(f.row_offsets[node + 1], e + count);
      row(node, at, stop - at, values + (at - e) * f.results());
      at = stop;
    }
  }
}

ups_status forward(const Call& call) {
  const EdgeConvForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  scratch.nodes.compute(*call.threads, f);
  scratch.packed.pack(*call.threads, f);
  const int64_t results = f.results();
  call.threads->run(ceil_div(f.nodes, task_nodes), [&](int64_t task, int32_t worker) {
    const int64_t first = task * task_nodes, end = std::min(f.nodes, first + task_nodes);
    std::fill_n(f.y + first * results, (end - first) * results, 0.0f);
    each_piece(f, scratch, first, end, worker, [&](int64_t node, int64_t edge, int64_t count, const float* values) {
      float* y = f.y + node * results;
      const bool begins = edge == f.row_offsets[node], ends = edge + count == f.row_offsets[node + 1];
      const Floats divisor = broadcast(static_cast<float>(f.row_offsets[node + 1] - f.row_offsets[node]));
      each_vector(results, [&](int64_t c, int64_t here) {
        const float* value = values + c;
        Floats reduced = begins ? load_some(value, here) : load_some(y + c, here);
        for (int64_t r = begins ? 1 : 0; r < count; ++r) {
          const Floats next = load_some(value + r * results, here);
          if (f.max) reduced = replaces(next, reduced) ? next : reduced;
          else reduced += next;
        }
        store_some(y + c, ends && !f.max ? reduced / divisor : reduced, here);
      });
    });
  });
  return UPS_OK;
}

// ---- backward -----------------------------------------------------------------------------------

struct BackwardScratch {
  ForwardScratch forward;
  int32_t* winner;  // [N, results] of max: the edge that gets the gradient
  float* duv;  // [N, 2 M_0]: du and dv
  // Sums over the nodes: of duv^T x.
  GroupSums node_sums;
  float *packed_stacked, *stacked_gradient, *node_packed;
  int64_t node_packed_floats;
  // Sums over the edges: for every layer but the first.
  int64_t tile, tiles, slice_tiles;
  GroupSums edge_sums;
  int64_t weight_sums[max_edge_layers], bias_sums[max_edge_layers];
  float* plain_weights[max_edge_layers] = {};
  float* slice;  // [edges of a slice, M_0]: the gradients of u + v
  int32_t* cursor;  // per node: how far its transposed edges were taken
  // Per worker, at these places.
  int64_t values[max_edge_layers], sums[max_edge_layers], gradients[2], packed_x, worker_floats = 0;
  float* workers_floats;

  BackwardScratch(const EdgeConvBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : forward(f, workers, workspace) {
    const int64_t columns = forward.nodes.columns;
    winner = workspace.reserve<int32_t>(f.max ? f.nodes * f.results() : 0);
    duv = workspace.reserve<float>(f.nodes * columns);
    node_sums = GroupSums(ceil_div(f.nodes, chunk_rows), columns * f.features, workspace);
    packed_stacked = workspace.reserve<float>(packed_size(columns, f.features));
    stacked_gradient = workspace.reserve<float>(columns * f.features);
    node_packed_floats = packed_rows_size(chunk_rows, f.features);
    node_packed = workspace.reserve<float>(node_packed_floats * workers);

    int64_t edge_floats = 2 * f.widest_layer(), group_floats = 0;
    for (int32_t l = 0; l < f.layers; ++l)
      edge_floats += f.outputs(l) * (f.activation[l] == UPS_ACTIVATION_GELU ? 2 : 1);
    for (int32_t l = 1; l < f.layers; ++l) {
      plain_weights[l] = workspace.reserve<float>(packed_size(f.outputs(l), f.inputs(l)));
      weight_sums[l] = group_floats;
      bias_sums[l] = group_floats + f.outputs(l) * f.inputs(l);
      group_floats = bias_sums[l] + f.outputs(l);
    }
    tile = edges_of_tile(edge_floats);
    tiles = f.layers > 1 ? ceil_div(f.edges, tile) : 0;
    slice_tiles = std::min(tiles, std::max(min_slice_tiles, ceil_div(tiles, max_slices)));
    edge_sums = GroupSums(tiles, group_floats, workspace);
    slice = workspace.reserve<float>(slice_tiles * tile * f.outputs(0));
    cursor = workspace.reserve<int32_t>(f.layers > 1 ? f.nodes : 0);
    if (f.layers == 1) return;
    const auto take = [&](int64_t floats) {
      const int64_t at = worker_floats;
      worker_floats += round_up(floats, 16);
      return at;
    };
    int64_t max_inputs = 0;
    for (int32_t l = 0; l < f.layers; ++l) {
      values[l] = take(tile * f.outputs(l));
      sums[l] = f.activation[l] == UPS_ACTIVATION_GELU ? take(tile * f.outputs(l)) : -1;
      if (l > 0) max_inputs = std::max(max_inputs, f.inputs(l));
    }
    for (int64_t& gradient : gradients) gradient = take(tile * f.widest_layer());
    packed_x = take(packed_rows_size(tile, max_inputs));
    workers_floats = workspace.reserve<float>(worker_floats * workers);
  }
};

// Which edge has the largest value, by node and channel.
void find_winners(Threads& threads, const EdgeConvBackward<float>& f, const BackwardScratch& scratch) {
  const int64_t results = f.results();
  threads.run(ceil_div(f.nodes, task_nodes), [&](int64_t task, int32_t worker) {
    const int64_t first = task * task_nodes, end = std::min(f.nodes, first + task_nodes);
    float* largest = scratch.forward.largest + worker * scratch.forward.result_floats;
    each_piece(f, scratch.forward, first, end, worker,
               [&](int64_t node, int64_t edge, int64_t count, const float* values) {
                 int32_t* winner = scratch.winner + node * results;
                 for (int64_t r = 0; r < count; ++r)
                   for (int64_t c = 0; c < results; ++c) {
                     const float value = values[r * results + c];
                     const bool begins = edge + r == f.row_offsets[node];
                     if (begins || value > largest[c] || (value != value && largest[c] == largest[c])) {
                       largest[c] = value;
                       winner[c] = static_cast<int32_t>(edge + r);
                     }
                   }
               });
  });
}

// The gradient of an edge's result, `here` channels from c on.
Floats result_gradient(const EdgeConvBackward<float>& f, const BackwardScratch& scratch, int64_t node, int64_t edge,
                       int64_t c, int64_t here) {
  const int64_t at = node * f.results() + c;
  const Floats dy = load_some(f.dy + at, here);
  if (!f.max) return dy / broadcast(static_cast<float>(f.row_offsets[node + 1] - f.row_offsets[node]));
  Ints winner{};
  std::memcpy(&winner, scratch.winner + at, static_cast<size_t>(here) * sizeof(int32_t));
  return winner == static_cast<int32_t>(edge) - Ints{} ? dy : zero();
}

// One layer: du_i and dv_j, each from its own edges.
void gradients_of_one_layer(Threads& threads, const EdgeConvBackward<float>& f, const BackwardScratch& scratch) {
  const NodeProducts& nodes = scratch.forward.nodes;
  const int64_t outputs = f.outputs(0);
  const int32_t activation = f.activation[0];
  const auto edge_gradient = [&](int64_t i, int64_t j, int64_t edge, int64_t c, int64_t here) {
    const Floats dy = result_gradient(f, scratch, i, edge, c, here);
    if (activation == UPS_ACTIVATION_NONE) return dy;
    const Floats z = load_some(nodes.u(i) + c, here) + load_some(nodes.v(j) + c, here);
    return dy * activation_slope(z, activate(z, activation), activation);
  };
  threads.run(ceil_div(f.nodes, task_nodes), [&](int64_t task, int32_t) {
    for (int64_t n = task * task_nodes; n < std::min(f.nodes, (task + 1) * task_nodes); ++n) {
      float *du = scratch.duv + n * nodes.columns, *dv = du + outputs;
      each_vector(outputs, [&](int64_t c, int64_t here) {
        Floats sum = zero();
        for (int64_t e = f.row_offsets[n]; e < f.row_offsets[n + 1]; ++e)
          sum += edge_gradient(n, f.sources[e], e, c, here);
        store_some(du + c, sum, here);
        sum = zero();
        for (int64_t p = f.transposed_offsets[n]; p < f.transposed_offsets[n + 1]; ++p)
          sum += edge_gradient(f.targets[p], n, f.edge_ids[p], c, here);
        store_some(dv + c, sum, here);
      });
    }
  });
}

// The layers of one tile up again, then down to the gradients of u + v.
void differentiate_tile(const EdgeConvBackward<float>& f, const BackwardScratch& scratch, int64_t first, int64_t count,
                        float* own, float* group_sums, float* dz0) {
  int64_t node = node_of(f, first);
  const int32_t top = f.layers - 1;
  float* input = own + scratch.values[0];
  add_ends(f, scratch.forward.nodes, node, first, count, input);
  if (scratch.sums[0] >= 0) std::copy_n(input, count * f.outputs(0), own + scratch.sums[0]);
  activate_ends(input, count * f.outputs(0), f.activation[0]);
  for (int32_t l = 1; l < f.layers; ++l) {
    if (l == top && f.activation[l] == UPS_ACTIVATION_NONE) break;  // nobody looks at its values
    apply_layer(f, l, scratch.forward.packed, input, count, own + scratch.values[l],
                scratch.sums[l] >= 0 ? own + scratch.sums[l] : nullptr);
    input = own + scratch.values[l];
  }

  float* dh = own + scratch.gradients[top % 2 == 0 ? 1 : 0];
  for (int64_t r = 0; r < count; ++r) {
    while (f.row_offsets[node + 1] <= first + r) ++node;
    each_vector(f.results(), [&](int64_t c, int64_t here) {
      store_some(dh + r * f.results() + c, result_gradient(f, scratch, node, first + r, c, here), here);
    });
  }
  for (int32_t l = top; l >= 0; --l) {
    const int64_t inputs = f.inputs(l), outputs = f.outputs(l);
    const float* dz = dh;
    if (l == 0 || f.activation[l] != UPS_ACTIVATION_NONE) {
      // In place of the sums for gelu, of the values else: neither is needed any more.
      float* to = l == 0 ? dz0 : own + (scratch.sums[l] >= 0 ? scratch.sums[l] : scratch.values[l]);
      if (l == 0 && scratch.sums[0] >= 0) std::copy_n(own + scratch.sums[0], count * outputs, dz0);
      slope_rows(own + scratch.values[l], dh, to, count * outputs, f.activation[l]);
      dz = to;
    }
    if (l == 0) return;
    if (f.dweight[l])
      add_weight_gradient(dz, outputs, own + scratch.values[l - 1], inputs, count, own + scratch.packed_x,
                          group_sums + scratch.weight_sums[l]);
    if (f.dbias[l]) add_rows(dz, outputs, count, outputs, group_sums + scratch.bias_sums[l]);
    dh = own + scratch.gradients[l % 2];
    multiply(Order::rows, dz, outputs, count, scratch.plain_weights[l], outputs, inputs, dh, inputs, {});
  }
}

// Several layers: slice by slice, each tile's weight gradients into the sums of a group that its
// number chooses.
void gradients_of_layers(Threads& threads, const EdgeConvBackward<float>& f, const BackwardScratch& scratch) {
  const int64_t outputs = f.outputs(0), columns = scratch.forward.nodes.columns;
  const int64_t begin = f.row_offsets[0], end = f.row_offsets[f.nodes], groups = scratch.edge_sums.groups;
  std::copy_n(f.transposed_offsets, f.nodes, scratch.cursor);
  std::fill_n(scratch.edge_sums.sums, groups * scratch.edge_sums.floats, 0.0f);
  fill_zero(threads, scratch.duv, f.nodes * columns);
  const int64_t slice_edges = scratch.slice_tiles * scratch.tile;
  for (int64_t slice = begin; slice < end; slice += slice_edges) {
    const int64_t slice_end = std::min(end, slice + slice_edges);
    threads.run(groups, [&](int64_t group, int32_t worker) {
      for (int64_t first = slice; first < slice_end; first += scratch.tile)
        if ((first - begin) / scratch.tile % groups == group)
          differentiate_tile(f, scratch, first, std::min(scratch.tile, slice_end - first),
                             scratch.workers_floats + worker * scratch.worker_floats,
                             scratch.edge_sums.sums + group * scratch.edge_sums.floats,
                             scratch.slice + (first - slice) * outputs);
    });
    constexpr int64_t nodes_at_once = 1024;
    threads.run(ceil_div(f.nodes, nodes_at_once), [&](int64_t task, int32_t) {
      for (int64_t n = task * nodes_at_once; n < std::min(f.nodes, (task + 1) * nodes_at_once); ++n) {
        float *du = scratch.duv + n * columns, *dv = du + outputs;
        const int64_t last = std::min<int64_t>(f.row_offsets[n + 1], slice_end);
        for (int64_t e = std::max<int64_t>(f.row_offsets[n], slice); e < last; ++e)
          add_row(scratch.slice + (e - slice) * outputs, outputs, du);
        int32_t& p = scratch.cursor[n];
        for (; p < f.transposed_offsets[n + 1] && f.edge_ids[p] < slice_end; ++p)
          if (f.edge_ids[p] >= slice) add_row(scratch.slice + (f.edge_ids[p] - slice) * outputs, outputs, dv);
      }
    });
  }
}

// dx, dweight0 and dbias0 from du and dv.
void gradients_of_nodes(Threads& threads, const EdgeConvBackward<float>& f, const BackwardScratch& scratch) {
  const int64_t outputs = f.outputs(0), features = f.features, columns = scratch.forward.nodes.columns;
  if (f.dx) pack_weight_for_gradient(threads, scratch.forward.nodes.weight, columns, features, scratch.packed_stacked);
  scratch.node_sums.run(threads, [&](int64_t chunk, float* sum, int32_t worker) {
    const int64_t first = chunk * chunk_rows, rows = std::min(chunk_rows, f.nodes - first);
    const float* duv = scratch.duv + first * columns;
    if (f.dx)
      multiply(Order::rows, duv, columns, rows, scratch.packed_stacked, columns, features, f.dx + first * features,
               features, {});
    if (f.dweight[0])
      add_weight_gradient(duv, columns, f.x + first * features, features, rows,
                          scratch.node_packed + worker * scratch.node_packed_floats, sum);
  });
  if (f.dweight[0]) {
    scratch.node_sums.total(threads, 0, columns * features, scratch.stacked_gradient);
    for (int64_t out = 0; out < outputs; ++out)
      for (int64_t in = 0; in < features; ++in) {
        const float of_u = scratch.stacked_gradient[out * features + in];
        f.dweight[0][out * 2 * features + in] = of_u;
        f.dweight[0][out * 2 * features + features + in] =
            scratch.stacked_gradient[(outputs + out) * features + in] - of_u;
      }
  }
  if (f.dbias[0]) {
    std::fill_n(f.dbias[0], outputs, 0.0f);
    add_rows(scratch.duv, columns, f.nodes, outputs, f.dbias[0]);
  }
}

ups_status backward(const Call& call) {
  const EdgeConvBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  scratch.forward.nodes.compute(threads, f);
  scratch.forward.packed.pack(threads, f);
  for (int32_t l = 1; l < f.layers; ++l)
    pack_weight_for_gradient(threads, f.weight[l], f.outputs(l), f.inputs(l), scratch.plain_weights[l]);
  if (f.max) find_winners(threads, f, scratch);
  if (f.layers == 1) gradients_of_one_layer(threads, f, scratch);
  else gradients_of_layers(threads, f, scratch);
  gradients_of_nodes(threads, f, scratch);
  for (int32_t l = 1; l < f.layers; ++l) {
    if (f.dweight[l])
      scratch.edge_sums.total(threads, scratch.weight_sums[l], f.outputs(l) * f.inputs(l), f.dweight[l]);
    if (f.dbias[l]) scratch.edge_sums.total(threads, scratch.bias_sums[l], f.outputs(l), f.dbias[l]);
  }
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, EdgeConvForwardCall, forward, workspace_of<EdgeConvForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, EdgeConvBackwardCall, backward, workspace_of<EdgeConvBackward<float>, BackwardScratch>)

UPS_SIMD_END
