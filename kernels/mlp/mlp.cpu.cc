// SIMD: every weight is packed once, then chunks of rows pass through all layers while their
// activations stay in a worker's scratch, in L2. Floor: 2 rows (sum of M_l M_(l-1)) FLOP against
// the FMA peak, three to four times that for backward, which computes the hidden activations again.
#include "mlp/mlp.h"
#include "mlp/mlp_call.h"

#define UPS_SIMD_SOURCE "mlp/mlp.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/layers.simd.h"
#include "lib/dense/weight_gradient.simd.h"

UPS_SIMD_BEGIN

struct ForwardScratch {
  int64_t chunk_rows, hidden_floats;
  PackedWeights weights;
  float* hidden;  // per worker: two buffers, layers write into them in turns

  ForwardScratch(const MlpForward<float>& f, int32_t workers, WorkspaceLayout& workspace) {
    int64_t widest = 0;
    for (int32_t l = 0; l + 1 < f.layers; ++l) widest = std::max(widest, f.outputs(l));
    // At least about eight tasks for mid-sized calls.
    const int64_t wanted = std::max<int64_t>(48, round_up(ceil_div(f.rows, 8), 12));
    chunk_rows = std::min(wanted, rows_that_fit(2 * widest, 24, 192));
    hidden_floats = round_up(chunk_rows * widest, 16);
    weights = reserve_transposed(f, f.layers, workspace);
    hidden = workspace.reserve<float>(2 * hidden_floats * workers);
  }
};

ups_status forward(const Call& call) {
  const MlpForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
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
  LayersBackward layers;
  int64_t rows_of_chunk;
  GroupSums groups;

  BackwardScratch(const MlpBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : layers(f, f.dx != nullptr, false, workspace), rows_of_chunk(rows_that_fit(layers.row_floats, 48, chunk_rows)),
        groups(ceil_div(f.rows, rows_of_chunk), layers.group_floats, workspace) {
    layers.reserve_workers(f, rows_of_chunk, workers, workspace);
  }
};

ups_status backward(const Call& call) {
  const MlpBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const LayersBackward& layers = scratch.layers;
  layers.pack(threads, f);
  scratch.groups.run(threads, [&](int64_t chunk, float* sums, int32_t worker) {
    const int64_t first = chunk * scratch.rows_of_chunk, rows = std::min(scratch.rows_of_chunk, f.rows - first);
    const float* x = f.x + first * f.inputs(0);
    float* own = layers.own(worker);
    layers.up(f, x, rows, own);
    layers.down(f, f, x, f.dy + first * f.last_width(), rows, f.dx ? f.dx + first * f.inputs(0) : nullptr, own, sums);
  });
  layers.total(threads, f, f, scratch.groups);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, MlpForwardCall, forward, workspace_of<MlpForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, MlpBackwardCall, backward, workspace_of<MlpBackward<float>, BackwardScratch>)

UPS_SIMD_END
