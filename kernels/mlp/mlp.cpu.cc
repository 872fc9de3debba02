// SIMD: every weight is packed once, then chunks of rows pass through all layers while their activations stay in a
// worker's scratch, in L2. Floor: 2 rows (sum of M_l M_(l-1)) FLOP against the FMA peak, three to four times that for
// backward, which computes the hidden activations again.
#include "mlp/mlp.h"
#include "mlp/mlp_call.h"

#define UPS_SIMD_SOURCE "mlp/mlp.cpu.cc"
#include "common/each_isa.h"
#include "common/activate_rows.simd.h"
#include "common/matmul.simd.h"
#include "common/sums.simd.h"
#include "common/weight_gradient.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t chunk_floats = 65536;  // what one chunk of rows may take of L2

// Rows whose scratch of `row_floats` each stays in L2: a multiple of every tile height.
int64_t rows_that_fit(int64_t row_floats, int64_t least, int64_t most) {
  const int64_t fit = chunk_floats / std::max<int64_t>(row_floats, 1) / 12 * 12;
  return std::clamp(fit, least, most);
}

// Weights of all layers, packed for products with W^T (forward) or W (backward).
struct PackedWeights {
  float* layer[UPS_MLP_MAX_LAYERS] = {};
  int64_t first_panel[UPS_MLP_MAX_LAYERS + 1] = {};
};

PackedWeights reserve_transposed(const MlpLayers<float>& f, int32_t layers, Pieces& pieces) {
  PackedWeights packed;
  for (int32_t l = 0; l < layers; ++l) {
    packed.layer[l] = pieces.take<float>(packed_size(f.inputs(l), f.outputs(l)));
    packed.first_panel[l + 1] = packed.first_panel[l] + panels(f.outputs(l));
  }
  return packed;
}

void pack_transposed(Threads& threads, const MlpLayers<float>& f, int32_t layers, const PackedWeights& packed) {
  threads.run(packed.first_panel[layers], [&](int64_t panel, int32_t) {
    int32_t l = 0;
    while (panel >= packed.first_panel[l + 1]) ++l;
    const int64_t own = panel - packed.first_panel[l];
    pack_panel_transposed(f.weight[l], f.inputs(l), f.inputs(l), f.outputs(l), own,
                          packed.layer[l] + own * panel_columns * f.inputs(l));
  });
}

// values[rows, outputs] = act(x W^T + b) of one layer. Where `sums` is given it keeps x W^T + b.
void apply_layer(const MlpLayers<float>& f, int32_t l, const PackedWeights& packed, const float* x, int64_t rows,
                 float* values, float* sums) {
  const int64_t outputs = f.outputs(l);
  float* to = sums ? sums : values;
  multiply(Order::rows, x, f.inputs(l), rows, packed.layer[l], f.inputs(l), outputs, to, outputs,
           {f.bias[l], false, f.activation[l] == UPS_ACTIVATION_RELU});
  if (sums) std::copy_n(sums, rows * outputs, values);
  activate_rows(values, rows * outputs, f.activation[l]);
}

struct ForwardScratch {
  int64_t chunk_rows, hidden_floats;
  PackedWeights weights;
  float* hidden;  // per worker: two buffers, layers write into them in turns

  ForwardScratch(const MlpForward<float>& f, int32_t workers, Pieces& pieces) {
    int64_t widest = 0;
    for (int32_t l = 0; l + 1 < f.layers; ++l) widest = std::max(widest, f.outputs(l));
    // At least about eight tasks for mid-sized calls.
    const int64_t wanted = std::max<int64_t>(48, round_up(ceil_div(f.rows, 8), 12));
    chunk_rows = std::min(wanted, rows_that_fit(2 * widest, 24, 192));
    hidden_floats = round_up(chunk_rows * widest, 16);
    weights = reserve_transposed(f, f.layers, pieces);
    hidden = pieces.take<float>(2 * hidden_floats * workers);
  }
};

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)ForwardScratch(MlpForward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const MlpForward<float> f(call);
  Pieces pieces(call.workspace);
  const ForwardScratch scratch(f, call.threads->count(), pieces);
  pack_transposed(*call.threads, f, f.layers, scratch.weights);
  call.threads->run(ceil_div(f.rows, scratch.chunk_rows), [&](int64_t task, int32_t worker) {
    const int64_t first = task * scratch.chunk_rows, rows = std::min(scratch.chunk_rows, f.rows - first);
    float* hidden = scratch.hidden + 2 * scratch.hidden_floats * worker;
    const float* x = f.x + first * f.inputs(0);
    for (int32_t l = 0; l < f.layers; ++l) {
      float* values = l + 1 < f.layers ? hidden + l % 2 * scratch.hidden_floats : f.y + first * f.outputs(l);
      apply_layer(f, l, scratch.weights, x, rows, values, nullptr);
      x = values;
    }
  });
  return UPS_OK;
}

struct BackwardScratch {
  GroupSums groups;
  int64_t rows_of_chunk;
  int32_t recomputed;     // layers whose values are needed: all, but the last where it has no activation
  PackedWeights weights;  // transposed
  float* plain_weights[UPS_MLP_MAX_LAYERS] = {};
  int64_t weight_sums[UPS_MLP_MAX_LAYERS], bias_sums[UPS_MLP_MAX_LAYERS], group_floats = 0;
  // Per worker, at these places: the layers' values; what gelu's slope needs, the sums before it; gradients behind and
  // before the activation of the present layer, and the next one's.
  int64_t values[UPS_MLP_MAX_LAYERS], sums[UPS_MLP_MAX_LAYERS], gradients[2], packed_x, worker_floats = 0;
  float* workers_floats;

  BackwardScratch(const MlpBackward<float>& f, int32_t workers, Pieces& pieces) {
    recomputed = f.activation[f.layers - 1] == UPS_ACTIVATION_NONE ? f.layers - 1 : f.layers;
    weights = reserve_transposed(f, recomputed, pieces);
    int64_t row_floats = 2 * f.widest_layer();
    for (int32_t l = 0; l < f.layers; ++l) {
      if (l > 0 || f.dx) plain_weights[l] = pieces.take<float>(packed_size(f.outputs(l), f.inputs(l)));
      weight_sums[l] = group_floats;
      bias_sums[l] = group_floats + f.outputs(l) * f.inputs(l);
      group_floats = bias_sums[l] + f.outputs(l);
      row_floats += f.outputs(l) * (f.activation[l] == UPS_ACTIVATION_GELU ? 2 : 1);
    }
    rows_of_chunk = rows_that_fit(row_floats, 48, chunk_rows);
    groups = GroupSums(ceil_div(f.rows, rows_of_chunk), group_floats, pieces);

    const auto take = [&](int64_t floats) {
      const int64_t at = worker_floats;
      worker_floats += round_up(floats, 16);
      return at;
    };
    for (int32_t l = 0; l < recomputed; ++l) {
      values[l] = take(rows_of_chunk * f.outputs(l));
      sums[l] = f.activation[l] == UPS_ACTIVATION_GELU ? take(rows_of_chunk * f.outputs(l)) : -1;
    }
    for (int64_t& gradient : gradients) gradient = take(rows_of_chunk * f.widest_layer());
    packed_x = take(rows_of_chunk * panel_columns);
    workers_floats = pieces.take<float>(worker_floats * workers);
  }
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(MlpBackward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

// All layers of one chunk: up again, then down.
void backward_chunk(const MlpBackward<float>& f, const BackwardScratch& scratch, int64_t first, int64_t rows,
                    float* own, float* group_sums) {
  const float* x = f.x + first * f.inputs(0);
  const float* input = x;
  for (int32_t l = 0; l < scratch.recomputed; ++l) {
    apply_layer(f, l, scratch.weights, input, rows, own + scratch.values[l],
                scratch.sums[l] >= 0 ? own + scratch.sums[l] : nullptr);
    input = own + scratch.values[l];
  }

  const float* dh = f.dy + first * f.outputs(f.layers - 1);
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    const int64_t inputs = f.inputs(l), outputs = f.outputs(l);
    const float* dz = dh;
    float* next = own + scratch.gradients[l % 2];
    if (f.activation[l] != UPS_ACTIVATION_NONE) {
      // In place of the sums for gelu, of the values else: neither is needed any more.
      float* to = own + (scratch.sums[l] >= 0 ? scratch.sums[l] : scratch.values[l]);
      slope_rows(own + scratch.values[l], dh, to, rows * outputs, f.activation[l]);
      dz = to;
    }
    if (f.dweight[l])
      add_weight_gradient(dz, outputs, l > 0 ? own + scratch.values[l - 1] : x, inputs, rows, own + scratch.packed_x,
                          group_sums + scratch.weight_sums[l]);
    if (f.dbias[l]) add_rows(dz, outputs, rows, outputs, group_sums + scratch.bias_sums[l]);
    if (l == 0) next = f.dx ? f.dx + first * inputs : nullptr;
    if (next) multiply(Order::rows, dz, outputs, rows, scratch.plain_weights[l], outputs, inputs, next, inputs, {});
    dh = next;
  }
}

ups_status backward(const Call& call) {
  const MlpBackward<float> f(call);
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, threads.count(), pieces);
  pack_transposed(threads, f, scratch.recomputed, scratch.weights);
  for (int32_t l = 0; l < f.layers; ++l)
    if (scratch.plain_weights[l])
      pack_weight_for_gradient(threads, f.weight[l], f.outputs(l), f.inputs(l), scratch.plain_weights[l]);

  scratch.groups.run(threads, [&](int64_t chunk, float* sums, int32_t worker) {
    const int64_t first = chunk * scratch.rows_of_chunk, rows = std::min(scratch.rows_of_chunk, f.rows - first);
    backward_chunk(f, scratch, first, rows, scratch.workers_floats + worker * scratch.worker_floats, sums);
  });

  for (int32_t l = 0; l < f.layers; ++l) {
    if (f.dweight[l]) scratch.groups.total(threads, scratch.weight_sums[l], f.outputs(l) * f.inputs(l), f.dweight[l]);
    if (f.dbias[l]) scratch.groups.total(threads, scratch.bias_sums[l], f.outputs(l), f.dbias[l]);
  }
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, "mlp_forward", forward, forward_workspace, mlp_supports)
UPS_CPU_VARIANT(backward, "mlp_backward", backward, backward_workspace, mlp_backward_supports)

UPS_SIMD_END
