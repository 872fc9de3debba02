// Where the matrices of pairs, and events of known sizes, begin, on the device: by one block, a
// thread for neighbouring events.
#pragma once
#include "lib/cuda/cuda.h"
#include "lib/segments/pair_matrices.h"

namespace upsilon {

template <int threads>
UPS_KERNEL_LB(threads)
find_pair_matrices(const int32_t* fault, PairMatrices f, int64_t* begins) {
  if (*fault != 0) return;
  UPS_SHARED(int64_t, counts, [threads]);
  const int64_t each = (f.events + threads - 1) / threads;
  const int64_t first = ups::min(each * threadIdx.x, f.events), last = ups::min(first + each, f.events);
  int64_t sum = 0;
  for (int64_t b = first; b < last; ++b) sum += f.count(b);
  counts[threadIdx.x] = sum;
  __syncthreads();
  sum = 0;
  for (unsigned other = 0; other < threadIdx.x; ++other) sum += counts[other];
  for (int64_t b = first; b < last; ++b) {
    begins[b] = ups::min(sum, f.entries);
    sum += f.count(b);
  }
  if (threadIdx.x == threads - 1) begins[f.events] = ups::min(sum, f.entries);
}

// offsets[b]: the sum of sizes[0] .. sizes[b-1]; begins[b] (where wanted): that of their squares,
// `entries` at most.
template <int threads>
UPS_KERNEL_LB(threads)
add_up(const int32_t* fault, const int32_t* sizes, int64_t events, int32_t* offsets, int64_t* begins, int64_t entries) {
  if (*fault != 0) return;
  UPS_SHARED(int64_t, sums, [threads]);
  UPS_SHARED(int64_t, squares, [threads]);
  const int64_t each = (events + threads - 1) / threads;
  const int64_t first = ups::min(each * threadIdx.x, events), last = ups::min(first + each, events);
  int64_t sum = 0, square = 0;
  for (int64_t b = first; b < last; ++b) {
    sum += sizes[b];
    square += static_cast<int64_t>(sizes[b]) * sizes[b];
  }
  sums[threadIdx.x] = sum;
  squares[threadIdx.x] = square;
  __syncthreads();
  sum = square = 0;
  for (unsigned other = 0; other < threadIdx.x; ++other) {
    sum += sums[other];
    square += squares[other];
  }
  const auto put = [&](int64_t b) {
    offsets[b] = static_cast<int32_t>(sum);
    if (begins) begins[b] = ups::min(square, entries);
  };
  for (int64_t b = first; b < last; ++b) {
    put(b);
    sum += sizes[b];
    square += static_cast<int64_t>(sizes[b]) * sizes[b];
  }
  if (threadIdx.x == threads - 1) put(events);
}

}  // namespace upsilon
