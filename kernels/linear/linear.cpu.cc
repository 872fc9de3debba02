// SIMD: the weight is packed once, rows stream through it in fixed chunks. Floor: 2 rows K M FLOP against the FMA peak,
// or 4 rows (K + M) bytes against memory, whichever is longer.
#include "linear/linear.h"
#include "linear/linear_call.h"

#define UPS_SIMD_SOURCE "linear/linear.cpu.cc"
#include "common/each_isa.h"
#include "common/activate_rows.simd.h"
#include "common/matmul.simd.h"
#include "common/row_groups.simd.h"
#include "common/sums.simd.h"

UPS_SIMD_BEGIN

// Rows per task: a multiple of every tile height, about eight tasks for mid-sized matrices, at most 192 rows, whose
// inputs stay in L2 while the panels of a large weight pass by.
int64_t rows_per_task(int64_t rows) {
  const int64_t wanted = round_up(ceil_div(rows, 8), 12);
  return wanted < 48 ? 48 : wanted > 192 ? 192 : wanted;
}

void pack_weight(Threads& threads, const float* weight, int64_t inputs, int64_t outputs, float* packed) {
  threads.run(panels(outputs), [&](int64_t panel, int32_t) {
    pack_panel_transposed(weight, inputs, inputs, outputs, panel, packed);
  });
}

size_t forward_workspace(const Call& call) {
  return static_cast<size_t>(packed_size(call.dims[1], call.dims[2])) * sizeof(float);
}

ups_status forward(const Call& call) {
  const LinearForward<float> f(call);
  float* packed = static_cast<float*>(call.workspace);
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

// Backward works through fixed chunks of rows. dz = dy act' of a chunk is made in scratch, then dx = dz W; the weight's
// gradient is a sum over all rows, in groups.
constexpr int64_t backward_rows = 240;

struct BackwardScratch {
  RowGroups groups;
  int64_t group_floats;
  float *packed_weight, *group_sums;
  float *dz, *packed_x;  // per worker
  int64_t dz_floats, packed_x_floats;

  BackwardScratch(const LinearBackward<float>& f, int32_t workers, Pieces& pieces) {
    group_floats = f.outputs * f.inputs + f.outputs;
    groups = RowGroups(f.rows, backward_rows, group_floats);
    dz_floats = round_up(backward_rows * f.outputs, 16);
    packed_x_floats = round_up(packed_size(backward_rows, f.inputs), 16);
    const bool gelu = f.activation == UPS_ACTIVATION_GELU;
    packed_weight = pieces.take<float>(packed_size(f.outputs, f.inputs) + (gelu ? packed_size(f.inputs, f.outputs) : 0));
    group_sums = pieces.take<float>(groups.count * group_floats);
    dz = pieces.take<float>(dz_floats * workers);
    packed_x = pieces.take<float>(packed_x_floats * workers);
  }
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(LinearBackward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const LinearBackward<float> f(call);
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, threads.count(), pieces);
  const bool gelu = f.activation == UPS_ACTIVATION_GELU, plain = f.activation == UPS_ACTIVATION_NONE;
  float* packed_forward = scratch.packed_weight + packed_size(f.outputs, f.inputs);
  if (gelu) pack_weight(threads, f.weight, f.inputs, f.outputs, packed_forward);
  if (f.dx)
    threads.run(panels(f.inputs), [&](int64_t panel, int32_t) {
      pack_panel(f.weight, f.inputs, f.outputs, f.inputs, panel, scratch.packed_weight);
    });

  threads.run(scratch.groups.count, [&](int64_t group, int32_t worker) {
    float* dweight = scratch.group_sums + group * scratch.group_floats;
    float* dbias = dweight + f.outputs * f.inputs;
    std::memset(dweight, 0, sizeof(float) * static_cast<size_t>(scratch.group_floats));
    float* own_dz = scratch.dz + worker * scratch.dz_floats;
    float* packed_x = scratch.packed_x + worker * scratch.packed_x_floats;
    scratch.groups.each_chunk(group, [&](int64_t first, int64_t rows) {
      const float* x = f.x + first * f.inputs;
      const float* dz = f.dy + first * f.outputs;
      if (!plain) {
        if (gelu)
          multiply(Order::rows, x, f.inputs, rows, packed_forward, f.inputs, f.outputs, own_dz, f.outputs, {f.bias});
        slope_rows(f.y + first * f.outputs, dz, own_dz, rows * f.outputs, f.activation);
        dz = own_dz;
      }
      if (f.dx)
        multiply(Order::rows, dz, f.outputs, rows, scratch.packed_weight, f.outputs, f.inputs, f.dx + first * f.inputs,
                 f.inputs, {});
      if (f.dweight) add_weight_gradient(dz, f.outputs, x, f.inputs, rows, packed_x, dweight);
      if (f.dbias) add_rows(dz, f.outputs, rows, f.outputs, dbias);
    });
  });

  const int64_t groups = scratch.groups.count, stride = scratch.group_floats, weights = f.outputs * f.inputs;
  if (f.dweight) add_in_order(threads, scratch.group_sums, groups, stride, weights, f.dweight);
  if (f.dbias) add_in_order(threads, scratch.group_sums + weights, groups, stride, f.outputs, f.dbias);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, "linear_forward", forward, forward_workspace)
UPS_CPU_VARIANT(backward, "linear_backward", backward, backward_workspace)

UPS_SIMD_END
