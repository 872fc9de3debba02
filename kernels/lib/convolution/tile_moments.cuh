// Moments of the channels of a result, from those of its tiles.
#pragma once
#include "lib/convolution/device.h"

namespace upsilon {
namespace {

// By a warp together, of those numbers of a tile's column that are places of the result.
UPS_ON_DEVICE TileMoments moments_of_column(const float* column, const bool* exists, int rows) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float count = 0.0f, sum = 0.0f, deviation = 0.0f;
  for (int row = lane; row < rows; row += 32)
    if (exists[row]) {
      count += 1.0f;
      sum += column[row];
    }
  count = ups::warp_sum(count);
  sum = ups::warp_sum(sum);
  const float mean = count > 0 ? sum / count : 0.0f;
  for (int row = lane; row < rows; row += 32)
    if (exists[row]) deviation += (column[row] - mean) * (column[row] - mean);
  return {count, mean, ups::warp_sum(deviation)};
}

// A warp joins the tiles of a channel.
template <int threads>
UPS_KERNEL_LB(threads)
join_moments(const int32_t* fault, const TileMoments* parts, int64_t tiles, int64_t channels, double* moments) {
  if (*fault != 0) return;
  const int64_t lane = threadIdx.x % 32;
  for (int64_t channel = global_thread() / 32; channel < channels; channel += global_threads() / 32) {
    const TileMoments* const of_channel = parts + channel * tiles;
    double count = 0, sum = 0, deviation = 0;
    for (int64_t tile = lane; tile < tiles; tile += 32) {
      count += of_channel[tile].count;
      sum += static_cast<double>(of_channel[tile].count) * of_channel[tile].mean;
    }
    count = ups::warp_sum(count);
    sum = ups::warp_sum(sum);
    const double mean = count > 0 ? sum / count : 0.0;
    for (int64_t tile = lane; tile < tiles; tile += 32) {
      const double off = of_channel[tile].mean - mean;
      deviation += of_channel[tile].deviation + of_channel[tile].count * off * off;
    }
    deviation = ups::warp_sum(deviation);
    if (lane != 0) continue;
    moments[2 * channel] = mean;
    moments[2 * channel + 1] = count > 0 ? deviation / count : 0.0;
  }
}

}  // namespace
}  // namespace upsilon
