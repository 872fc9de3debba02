// Products of few rows with a weight that is used once: packing it would take longer than all the
// rest. A square of it is transposed in registers and multiplied with all rows at once. Every sum
// runs in the order in which multiply() adds: the same bits.
//
// Floor: the weight's bytes against the bandwidth of the memory or the cache that it lies in.
#if defined(UPS_LIB_DENSE_FEW_ROWS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_FEW_ROWS_SIMD_H
#undef UPS_LIB_DENSE_FEW_ROWS_SIMD_H
#else
#define UPS_LIB_DENSE_FEW_ROWS_SIMD_H
#endif

#include "lib/math/activate_rows.simd.h"
#include "lib/simd/transpose.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t few_rows = 4;

// Rows of the weight lie pages apart, and they are more streams than hardware follows, the less so
// across borders of pages: what each of them needs soon is fetched.
constexpr int64_t few_rows_ahead = 128;

// y[rows, outputs] = act(x[rows, inputs] W^T + bias) for at most `lanes` outputs; rows of y are
// y_step apart.
template <int rows>
void multiply_few_panel(const float* x, const float* weight, int64_t inputs, int64_t outputs, const float* bias,
                        int32_t activation, float* y, int64_t y_step) {
  Floats sums[rows];
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r) sums[r] = bias ? load_some(bias, outputs) : zero();
  Floats square[lanes];
  int64_t k = 0;
  for (; outputs == lanes && k + lanes <= inputs; k += lanes) {
    // Behind the end of a row, the beginning of the one that takes its place in the next panel.
    const int64_t ahead = k + few_rows_ahead < inputs ? few_rows_ahead : few_rows_ahead + (lanes - 1) * inputs;
#pragma GCC unroll 16
    for (int o = 0; o < lanes; ++o) {
      const float* from = weight + o * inputs + k;
      square[o] = load(from);
      __builtin_prefetch(from + ahead);
    }
    transpose(square);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i)
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) sums[r] = broadcast(x[r * inputs + k + i]) * square[i] + sums[r];
  }
  for (; k < inputs; k += lanes) {
    const int64_t steps = std::min<int64_t>(inputs - k, lanes);
#pragma GCC unroll 16
    for (int o = 0; o < lanes; ++o) square[o] = o < outputs ? load_some(weight + o * inputs + k, steps) : zero();
    transpose(square);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (i >= steps) break;
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) sums[r] = broadcast(x[r * inputs + k + i]) * square[i] + sums[r];
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r) {
    float* to = y + r * y_step;
    store_some(to, activation == UPS_ACTIVATION_RELU ? (sums[r] < zero() ? zero() : sums[r]) : sums[r], outputs);
    activate_rows(to, outputs, activation);
  }
}

// y[rows, outputs] = act(x[rows, inputs] W^T + bias), W[outputs, inputs]; at most few_rows rows.
inline void multiply_few(Threads& threads, const float* x, int64_t rows, const float* weight, int64_t inputs,
                         int64_t outputs, const float* bias, int32_t activation, float* y) {
  if (rows == 0) return;
  constexpr decltype(&multiply_few_panel<1>) of_rows[] = {multiply_few_panel<1>, multiply_few_panel<2>,
                                                          multiply_few_panel<3>, multiply_few_panel<4>};
  // A task has enough to do for it to be worth a thread's while.
  constexpr int64_t min_numbers = 32768;
  const int64_t panel = std::max<int64_t>(1, min_numbers / std::max<int64_t>(lanes * inputs, 1)) * lanes;
  threads.run(ceil_div(outputs, panel), [&](int64_t task, int32_t) {
    for (int64_t o = task * panel; o < std::min(outputs, (task + 1) * panel); o += lanes)
      of_rows[rows - 1](x, weight + o * inputs, inputs, std::min<int64_t>(outputs - o, lanes),
                        bias ? bias + o : nullptr, activation, y + o, outputs);
  });
}

UPS_SIMD_END

#endif
