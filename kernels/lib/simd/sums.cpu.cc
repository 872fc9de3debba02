#define UPS_SIMD_SOURCE "lib/simd/sums.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_SHARED_BEGIN

void add_rows(const float* m, int64_t stride, int64_t rows, int64_t columns, float* total) {
  each_vector(columns, [&](int64_t c, int64_t here) {
    Floats sums = load_some(total + c, here);
    for (int64_t r = 0; r < rows; ++r) sums += load_some(m + r * stride + c, here);
    store_some(total + c, sums, here);
  });
}

void add_in_order(Threads& threads, const float* parts, int64_t count, int64_t stride, int64_t length, float* result) {
  constexpr int64_t piece = 4096;
  threads.run(ceil_div(length, piece), [&](int64_t task, int32_t) {
    const int64_t first = task * piece, end = std::min(length, first + piece);
    each_vector(end - first, [&](int64_t i, int64_t here) {
      Floats sums = load_some(parts + first + i, here);
      for (int64_t p = 1; p < count; ++p) sums += load_some(parts + p * stride + first + i, here);
      store_some(result + first + i, sums, here);
    });
  });
}

void finish_row(float* row, const float* bias, int64_t columns, bool relu) {
  if (!bias && !relu) return;
  each_vector(columns, [&](int64_t c, int64_t here) {
    Floats y = load_some(row + c, here);
    if (bias) y += load_some(bias + c, here);
    if (relu) y = y < zero() ? zero() : y;
    store_some(row + c, y, here);
  });
}

UPS_SIMD_SHARED_END
