// Sums over places and slopes of activations. Floor: the bytes of a grid.
#include "lib/kernel.h"

#define UPS_SIMD_SOURCE "lib/convolution/sums.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/sums.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/dot.simd.h"

UPS_SIMD_SHARED_BEGIN

void channel_sums(Threads& threads, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result) {
  constexpr int64_t chunk = 4096;
  threads.run(samples * channels, [&](int64_t row, int32_t) {
    double sum = 0;
    for (int64_t first = 0; first < places; first += chunk) {
      const float* from = values + row * places + first;
      const int64_t count = std::min(chunk, places - first);
      Floats sums[4] = {};
      int64_t i = 0;
      for (; i + 4 * lanes <= count; i += 4 * lanes)
        for (int v = 0; v < 4; ++v) sums[v] += load(from + i + v * lanes);
      each_vector(count - i, [&](int64_t k, int64_t here) { sums[0] += load_some(from + i + k, here); });
      sum += sum_pairwise((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
    parts[row] = sum;
  });
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < samples; ++n) sum += parts[n * channels + c];
    result[c] = static_cast<float>(sum);
  }
}

void slopes(Threads& threads, const float* y, const float* dy, float* dz, int64_t count, int32_t activation) {
  constexpr int64_t piece = 16384;
  threads.run(ceil_div(count, piece), [&](int64_t task, int32_t) {
    const int64_t first = task * piece;
    slope_rows(y + first, dy + first, dz + first, std::min(piece, count - first), activation);
  });
}

UPS_SIMD_SHARED_END
