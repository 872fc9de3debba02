// Pairs of elements of events on the device: how many there are before each event; and rows of no
// event.
#pragma once
#include "lib/cuda/cuda.h"
#include "lib/math/pair_kinematics.h"  // after cuda.h, which defines UPS_HD

namespace upsilon {

// One warp adds up the pairs of the events: pairs[b] are those before event b.
template <int threads>
UPS_KERNEL_LB(threads)
count_pairs(const int32_t* fault, const int32_t* offsets, const int32_t* others, int64_t events, int64_t* pairs) {
  if (*fault != 0) return;
  long long before = 0;
  for (int64_t first = 0; first <= events; first += 32) {
    const int64_t b = first + threadIdx.x;
    long long own = 0;
    if (b < events) own = static_cast<long long>(offsets[b + 1] - offsets[b]) * (others[b + 1] - others[b]);
    const long long inclusive = ups::Tile<32>::here().inclusive_sum(own);
    if (b <= events) pairs[b] = before + inclusive - own;
    before += ups::Tile<32>::here().shfl(inclusive, 31);
  }
}

// The event that holds place i of a list with these boundaries, of `events` + 1; i lies in one.
template <class Boundary>
UPS_ON_DEVICE int64_t event_of(const Boundary* boundaries, int64_t events, int64_t i) {
  int64_t low = 0, high = events;  // the last event that begins at i or before
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (boundaries[middle] <= i) low = middle;
    else high = middle;
  }
  return low;
}

// The numbers of every particle that pairs need.
template <int threads>
UPS_KERNEL_LB(threads)
find_kinematics(const int32_t* fault, const float* momenta, int64_t particles, Kinematics* kinematics) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < particles; i += global_threads())
    kinematics[i] = kinematics_of(momenta + i * pair_columns_of_momenta);
}

// Rows outside every set: 0, and `first` in every second place where rows are pairs of a largest
// score and a sum.
template <int threads>
UPS_KERNEL_LB(threads)
clear_outside(const int32_t* fault, float* rows, int64_t count, int64_t width, const int32_t* offsets, int64_t sets,
              float first) {
  if (*fault != 0) return;
  const int64_t before = offsets[0], after = count - offsets[sets];
  for (int64_t i = global_thread(); i < (before + after) * width; i += global_threads()) {
    const int64_t row = i / width < before ? i / width : i / width - before + offsets[sets];
    rows[row * width + i % width] = i % 2 == 0 ? first : 0.0f;
  }
}

inline void clear_others(Launcher& launch, float* rows, int64_t count, int64_t width, const int32_t* offsets,
                         int64_t sets, float first = 0.0f) {
  if (rows) launch.elements(clear_outside<block_threads>, count * width, rows, count, width, offsets, sets, first);
}

}  // namespace upsilon
