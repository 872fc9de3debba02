// Sums over places and slopes of activations. Floor: the bytes of a grid.
#include "lib/convolution/tiles.cuh"
#include "lib/math/activation.cuh"

namespace upsilon {
namespace {

// A block sums one channel of one sample.
template <int threads>
UPS_KERNEL_LB(threads)
sum_places(const int32_t* fault, const float* values, int64_t places, double* parts) {
  if (*fault != 0) return;
  UPS_SHARED(double, sums, [threads / 32]);
  const float* const from = values + static_cast<int64_t>(blockIdx.x) * places;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < places; i += threads) sum += static_cast<double>(from[i]);
  sum = ups::warp_sum(sum);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < threads / 32; ++warp) sum += sums[warp];
  parts[blockIdx.x] = sum;
}

template <int threads>
UPS_KERNEL_LB(threads)
multiply_slopes(const int32_t* fault, const float* y_or_z, const float* dy, float* dz, int64_t count,
                int32_t activation) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads())
    dz[i] = dy[i] * activation_slope_at(y_or_z[i], activation);
}

}  // namespace

void channel_sums(Launcher& launch, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result) {
  launch.grid(sum_places<block_threads>, samples * channels, 1, block_threads, 0, values, places, parts);
  launch.elements(add_parts<block_threads, double>, channels, parts, samples, channels, result);
}

void slopes(Launcher& launch, const float* y_or_z, const float* dy, float* dz, int64_t count, int32_t activation) {
  launch.elements(multiply_slopes<block_threads>, count, y_or_z, dy, dz, count, activation);
}

}  // namespace upsilon
