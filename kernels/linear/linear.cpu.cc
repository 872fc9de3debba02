// SIMD: the weight is packed once, rows stream through it in fixed chunks; one that meets few rows
// is read once instead, where it lies or, if it is large, slice by slice. Floor: 2 rows K M FLOP
// against the FMA peak, or 4 (rows (K + M) + K M) bytes against memory, whichever is longer.
#include "linear/linear.h"
#include "linear/linear_call.h"

#define UPS_SIMD_SOURCE "linear/linear.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/few_rows.simd.h"
#include "lib/dense/large_weight.simd.h"
#include "lib/dense/matmul.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/sums.simd.h"
#include "lib/simd/transpose.simd.h"

UPS_SIMD_BEGIN

// Rows per task: a multiple of every tile height, about eight tasks for mid-sized matrices, at most
// 192 rows, whose inputs stay in L2 while the panels of a large weight pass by.
int64_t rows_per_task(int64_t rows) {
  const int64_t wanted = round_up(ceil_div(rows, 8), 12);
  return wanted < 48 ? 48 : wanted > 192 ? 192 : wanted;
}

template <class Linear>
bool reads_weight_once(const Linear& f) {
  return f.rows <= few_rows || (f.rows <= large_weight_rows && is_large_weight(f.outputs, f.inputs));
}

struct ForwardScratch {
  float* packed_weight;
  ForwardScratch(const LinearForward<float>& f, WorkspaceLayout& workspace)
      : packed_weight(workspace.reserve<float>(packed_size(f.inputs, f.outputs))) {}
  static bool needed(const LinearForward<float>& f) { return !reads_weight_once(f); }
};

ups_status forward(const Call& call) {
  const LinearForward<float> f(call);
  if (reads_weight_once(f)) {
    (f.rows <= few_rows ? multiply_few : multiply_large)(*call.threads, f.x, f.rows, f.weight, f.inputs, f.outputs,
                                                         f.bias, f.activation, f.y);
    return UPS_OK;
  }
  float* packed = scratch_of<ForwardScratch>(call, f).packed_weight;
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

  BackwardScratch(const LinearBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : sums(ceil_div(f.rows, chunk_rows), f.outputs * f.inputs + f.outputs, workspace),
        packed_weight(workspace.reserve<float>(packed_size(f.outputs, f.inputs))),
        packed_forward(
            workspace.reserve<float>(f.activation == UPS_ACTIVATION_GELU ? packed_size(f.inputs, f.outputs) : 0)),
        dz_floats(round_up(chunk_rows * f.outputs, 16)), packed_x_floats(packed_rows_size(chunk_rows, f.inputs)) {
    dz = workspace.reserve<float>(dz_floats * workers);
    packed_x = workspace.reserve<float>(packed_x_floats * workers);
  }
  static bool needed(const LinearBackward<float>& f) { return !is_large_weight(f.outputs, f.inputs); }
};

// The gradients of a large weight, as many rows at a time as stay in cache: dz, then dx and dW,
// each by all threads.
struct LargeScratch {
  float* dz;
  LargeScratch(const LinearBackward<float>& f, WorkspaceLayout& workspace)
      : dz(workspace.reserve<float>(
            f.activation == UPS_ACTIVATION_NONE ? 0 : std::min(f.rows, large_weight_rows) * f.outputs)) {}
  static bool needed(const LinearBackward<float>& f) { return is_large_weight(f.outputs, f.inputs); }
};

void backward_large(Threads& threads, const LinearBackward<float>& f, float* own_dz) {
  constexpr int64_t piece = 1024;
  if (f.rows == 0) clear(f.dweight, f.outputs * f.inputs);
  clear(f.dbias, f.outputs);
  for (int64_t first = 0; first < f.rows; first += large_weight_rows) {
    const int64_t rows = std::min(large_weight_rows, f.rows - first);
    const float *x = f.x + first * f.inputs, *y = f.y + first * f.outputs, *dy = f.dy + first * f.outputs;
    const float* dz = f.activation == UPS_ACTIVATION_NONE ? dy : own_dz;
    if (f.activation == UPS_ACTIVATION_GELU)
      multiply_large(threads, x, rows, f.weight, f.inputs, f.outputs, f.bias, UPS_ACTIVATION_NONE, own_dz);
    if (dz != dy)
      threads.run(ceil_div(rows * f.outputs, piece), [&](int64_t task, int32_t) {
        const int64_t at = task * piece;
        slope_rows(y + at, dy + at, own_dz + at, std::min(piece, rows * f.outputs - at), f.activation);
      });
    if (f.dx) multiply_large_for_gradient(threads, dz, rows, f.weight, f.outputs, f.inputs, f.dx + first * f.inputs);
    if (f.dweight) add_large_weight_gradient(threads, dz, f.outputs, x, f.inputs, rows, first > 0, f.dweight);
    if (f.dbias)
      threads.run(ceil_div(f.outputs, piece), [&](int64_t task, int32_t) {
        const int64_t at = task * piece;
        add_rows(dz + at, f.outputs, rows, std::min(piece, f.outputs - at), f.dbias + at);
      });
  }
}

// While a chunk's products run, the rows that are wanted next are fetched. dz = dy act' of a chunk
// is made in scratch; then dx = dz W, and the chunk's part of dW = dz^T x and db.
ups_status backward(const Call& call) {
  const LinearBackward<float> f(call);
  Threads& threads = *call.threads;
  if (is_large_weight(f.outputs, f.inputs)) {
    backward_large(threads, f, scratch_of<LargeScratch>(call, f).dz);
    return UPS_OK;
  }
  const auto scratch = scratch_of<BackwardScratch>(call, f);
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

UPS_CPU_VARIANT(forward, LinearForwardCall, forward, workspace_of<LinearForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, LinearBackwardCall, backward,
                workspace_of<LinearBackward<float>, LargeScratch, BackwardScratch>)

UPS_SIMD_END
