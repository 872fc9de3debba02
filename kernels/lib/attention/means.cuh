// What the backward kernels of attention subtract from the slopes of every query.
#pragma once
#include "lib/cuda/cuda.h"

namespace upsilon {

// means[row] = <dy, y>, the rows being those of queries and heads.
template <int threads>
UPS_KERNEL_LB(threads)
find_means(const int32_t* fault, const float* dy, const float* y, int64_t rows, int64_t width, float* means) {
  if (*fault != 0) return;
  for (int64_t row = global_thread(); row < rows; row += global_threads()) {
    float sum = 0.0f;
    for (int64_t c = 0; c < width; ++c) sum = fmaf(dy[row * width + c], y[row * width + c], sum);
    means[row] = sum;
  }
}

inline void launch_means(Launcher& launch, const float* dy, const float* y, int64_t rows, int64_t width, float* means) {
  launch.elements(find_means<block_threads>, rows, dy, y, rows, width, means);
}

}  // namespace upsilon
