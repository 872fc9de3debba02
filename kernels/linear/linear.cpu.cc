// SIMD: the weight is packed once, rows stream through it in fixed chunks. Floor: 2 rows K M FLOP against the FMA peak,
// or 4 rows (K + M) bytes against memory, whichever is longer. Few rows through a weight beyond the cache: 4 K M bytes, so
// it is read once and packed piece by piece.
#include "linear/linear.h"
#include "linear/linear_call.h"

#define UPS_SIMD_SOURCE "linear/linear.cpu.cc"
#include "common/each_isa.h"
#include "common/activate_rows.simd.h"
#include "common/matmul.simd.h"
#include "common/sums.simd.h"
#include "common/weight_gradient.simd.h"

UPS_SIMD_BEGIN

// Rows per task: a multiple of every tile height, about eight tasks for mid-sized matrices, at most 192 rows, whose
// inputs stay in L2 while the panels of a large weight pass by.
int64_t rows_per_task(int64_t rows) {
  const int64_t wanted = round_up(ceil_div(rows, 8), 12);
  return wanted < 48 ? 48 : wanted > 192 ? 192 : wanted;
}

// Where the whole weight would be written to memory and read again for a single task's rows.
constexpr int64_t cached_weight = 128 * 1024;  // floats: half of an L2 of 1 MiB
constexpr int64_t few_rows = 48, depth_piece = 256, piece_floats = depth_piece * panel_columns;

bool packs_by_pieces(int64_t rows, int64_t inputs, int64_t outputs) {
  return rows <= few_rows && inputs * outputs > cached_weight;
}

size_t forward_workspace(const Call& call) {
  const LinearForward<float> f(call);
  const int64_t floats = packs_by_pieces(f.rows, f.inputs, f.outputs) ? call.threads->count() * piece_floats
                                                                      : packed_size(f.inputs, f.outputs);
  return static_cast<size_t>(floats) * sizeof(float);
}

// A panel's outputs for all rows. Pieces in order of depth: every sum has the terms of `multiply` over all of it, in order.
void multiply_by_pieces(const LinearForward<float>& f, int64_t panel, float* piece) {
  const int64_t first = panel * panel_columns, columns = std::min<int64_t>(panel_columns, f.outputs - first);
  float* y = f.y + first;
  for (int64_t k = 0; k < f.inputs; k += depth_piece) {
    const int64_t depth = std::min(depth_piece, f.inputs - k);
    pack_panel_transposed(f.weight + k, f.inputs, depth, f.outputs, panel, piece);
    multiply(Order::rows, f.x + k, f.inputs, f.rows, piece, depth, columns, y, f.outputs,
             {k == 0 && f.bias ? f.bias + first : nullptr, k > 0,
              f.activation == UPS_ACTIVATION_RELU && k + depth == f.inputs});
  }
  for (int64_t r = 0; r < f.rows; ++r) activate_rows(y + r * f.outputs, columns, f.activation);
}

ups_status forward(const Call& call) {
  const LinearForward<float> f(call);
  float* packed = static_cast<float*>(call.workspace);
  if (packs_by_pieces(f.rows, f.inputs, f.outputs)) {
    call.threads->run(panels(f.outputs), [&](int64_t panel, int32_t worker) {
      multiply_by_pieces(f, panel, packed + worker * piece_floats);
    });
    return UPS_OK;
  }
  pack_weight(*call.threads, f.weight, f.inputs, f.outputs, packed);
  const int64_t chunk = rows_per_task(f.rows);
  call.threads->run(ceil_div(f.rows, chunk), [&](int64_t task, int32_t) {
    const int64_t first = task * chunk, rows = std::min(chunk, f.rows - first);
    float* y = f.y + first * f.outputs;
    multiply(Order::rows, f.x + first * f.inputs, f.inputs, rows, packed, f.inputs, f.outputs, y, f.outputs,
             {f.bias, false, f.activation == UPS_ACTIVATION_RELU});
    activate_rows(y, rows * f.outputs, f.activation);
  });
  return UPS_OK;
}

struct BackwardScratch {
  GroupSums sums;  // dweight, then dbias
  float *packed_weight, *packed_forward;
  float *dz, *packed_x;  // per worker
  int64_t dz_floats, packed_x_floats;

  BackwardScratch(const LinearBackward<float>& f, int32_t workers, Pieces& pieces)
      : sums(ceil_div(f.rows, chunk_rows), f.outputs * f.inputs + f.outputs, pieces),
        packed_weight(pieces.take<float>(packed_size(f.outputs, f.inputs))),
        packed_forward(pieces.take<float>(f.activation == UPS_ACTIVATION_GELU ? packed_size(f.inputs, f.outputs) : 0)),
        dz_floats(round_up(chunk_rows * f.outputs, 16)), packed_x_floats(packed_rows_size(chunk_rows, f.inputs)) {
    dz = pieces.take<float>(dz_floats * workers);
    packed_x = pieces.take<float>(packed_x_floats * workers);
  }
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(LinearBackward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

// While a chunk's products run, the rows that are wanted next are fetched. dz = dy act' of a chunk is made in scratch; then dx = dz W, and the chunk's part of dW = dz^T x and db.
ups_status backward(const Call& call) {
  const LinearBackward<float> f(call);
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, threads.count(), pieces);
  const bool gelu = f.activation == UPS_ACTIVATION_GELU;
  if (gelu) pack_weight(threads, f.weight, f.inputs, f.outputs, scratch.packed_forward);
  if (f.dx) pack_weight_for_gradient(threads, f.weight, f.outputs, f.inputs, scratch.packed_weight);

  scratch.sums.run(threads, [&](int64_t chunk, float* sum, int32_t worker) {
    const int64_t first = chunk * chunk_rows, rows = std::min(chunk_rows, f.rows - first);
    const int64_t next = first + rows, next_rows = std::min(chunk_rows, f.rows - next);
    const float* x = f.x + first * f.inputs;
    const float* dz = f.dy + first * f.outputs;
    if (f.activation != UPS_ACTIVATION_NONE) {
      float* own_dz = scratch.dz + worker * scratch.dz_floats;
      if (gelu)
        multiply(Order::rows, x, f.inputs, rows, scratch.packed_forward, f.inputs, f.outputs, own_dz, f.outputs,
                 {f.bias});
      slope_rows(f.y + first * f.outputs, dz, own_dz, rows * f.outputs, f.activation);
      dz = own_dz;
    }
    if (f.dx) {
      float* dx = f.dx + first * f.inputs;
      multiply(Order::rows, dz, f.outputs, rows, scratch.packed_weight, f.outputs, f.inputs, dx, f.inputs, {},
               {{x, dx + rows * f.inputs}, {f.dweight ? rows * f.inputs : 0, next_rows * f.inputs}});
    }
    if (f.dweight)
      add_weight_gradient(dz, f.outputs, x, f.inputs, rows, scratch.packed_x + worker * scratch.packed_x_floats, sum,
                          {{f.dy + next * f.outputs, f.y + next * f.outputs},
                           {next_rows * f.outputs, f.activation == UPS_ACTIVATION_NONE ? 0 : next_rows * f.outputs}});
    if (f.dbias) add_rows(dz, f.outputs, rows, f.outputs, sum + f.outputs * f.inputs);
  });

  if (f.dweight) scratch.sums.total(threads, 0, f.outputs * f.inputs, f.dweight);
  if (f.dbias) scratch.sums.total(threads, f.outputs * f.inputs, f.outputs, f.dbias);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, "linear_forward", forward, forward_workspace)
UPS_CPU_VARIANT(backward, "linear_backward", backward, backward_workspace)

UPS_SIMD_END
