// Where the matrices of pairs begin, on the device: by one block, a thread for neighbouring events.
#pragma once
#include "common/cuda.h"
#include "common/pair_matrices.h"

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

}  // namespace upsilon
