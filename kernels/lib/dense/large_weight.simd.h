// Products with a weight too large to be packed as a whole: it is read once from memory, and its
// columns are dealt to the threads, as there may be few rows. A slice of a panel is packed into L1,
// used for all rows, and forgotten. Every sum runs in the order in which multiply() adds: the same
// bits.
//
// Floor: the weight's bytes against the memory's bandwidth, or 2 rows FLOP per number of it.
#if defined(UPS_LIB_DENSE_LARGE_WEIGHT_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_LARGE_WEIGHT_SIMD_H
#undef UPS_LIB_DENSE_LARGE_WEIGHT_SIMD_H
#else
#define UPS_LIB_DENSE_LARGE_WEIGHT_SIMD_H
#endif

#include "lib/dense/matmul.simd.h"
#include "lib/math/activate_rows.simd.h"

UPS_SIMD_BEGIN

// Rows that stay in L2 while the slices pass.
constexpr int64_t large_weight_rows = 240;
constexpr int64_t large_slice = 256;  // of the depth: a slice of a panel has 32 KiB at most

// A weight that does not stay in L2 beside anything else.
inline bool is_large_weight(int64_t outputs, int64_t inputs) { return outputs * inputs > int64_t{1} << 18; }

// y[rows, outputs] = act(x[rows, inputs] W^T + bias), W[outputs, inputs].
inline void multiply_large(Threads& threads, const float* x, int64_t rows, const float* weight, int64_t inputs,
                           int64_t outputs, const float* bias, int32_t activation, float* y) {
  threads.run(panels(outputs), [&](int64_t panel, int32_t) {
    alignas(64) float packed[large_slice * panel_columns];
    const int64_t first = panel * panel_columns, here = std::min<int64_t>(outputs - first, panel_columns);
    for (int64_t k = 0; k == 0 || k < inputs; k += large_slice) {
      const int64_t slice = std::min(inputs - k, large_slice);
      pack_panel_transposed(weight + k, inputs, slice, outputs, panel, packed);
      multiply(
          Order::rows, x + k, inputs, rows, packed, slice, here, y + first, outputs,
          {k == 0 && bias ? bias + first : nullptr, k > 0, activation == UPS_ACTIVATION_RELU && k + slice == inputs});
    }
    for (int64_t r = 0; r < rows; ++r) activate_rows(y + r * outputs + first, here, activation);
  });
}

// dx[rows, inputs] = dz[rows, outputs] W.
inline void multiply_large_for_gradient(Threads& threads, const float* dz, int64_t rows, const float* weight,
                                        int64_t outputs, int64_t inputs, float* dx) {
  // Some panels side by side, so that a row of W gives whole lines of neighbouring memory.
  constexpr int64_t neighbours = 8;
  threads.run(ceil_div(panels(inputs), neighbours), [&](int64_t task, int32_t) {
    alignas(64) float packed[large_slice * panel_columns];
    const int64_t end = std::min((task + 1) * neighbours, panels(inputs));
    for (int64_t k = 0; k == 0 || k < outputs; k += large_slice) {
      const int64_t slice = std::min(outputs - k, large_slice);
      for (int64_t panel = task * neighbours; panel < end; ++panel) {
        const int64_t first = panel * panel_columns, here = std::min<int64_t>(inputs - first, panel_columns);
        pack_panel(weight + k * inputs, inputs, slice, inputs, panel, packed);
        multiply(Order::rows, dz + k, outputs, rows, packed, slice, here, dx + first, inputs, {nullptr, k > 0, false});
      }
    }
  });
}

// dweight[outputs, inputs] = or += dz[rows, outputs]^T x[rows, inputs]; at most large_weight_rows
// rows.
inline void add_large_weight_gradient(Threads& threads, const float* dz, int64_t outputs, const float* x,
                                      int64_t inputs, int64_t rows, bool accumulate, float* dweight) {
  constexpr int64_t block = 4 * tile_rows;
  const int64_t whole = inputs / panel_columns * panel_columns;  // columns of x that are read where they lie
  const Finish finish{nullptr, accumulate, false};
  threads.run(ceil_div(outputs, block), [&](int64_t task, int32_t) {
    const int64_t first = task * block, here = std::min(block, outputs - first);
    float* to = dweight + first * inputs;
    if (whole > 0) multiply_transposed(dz + first, outputs, here, x, inputs, rows, whole, to, inputs, finish);
    if (whole == inputs) return;
    alignas(64) float packed[large_weight_rows * panel_columns];
    pack_panel(x, inputs, rows, inputs, whole / panel_columns, packed);
    multiply(Order::columns, dz + first, outputs, here, packed, rows, inputs - whole, to + whole, inputs, finish);
  });
}

UPS_SIMD_END

#endif
