// CUDA: a block has an event. Per cluster, one pass over its hits puts them into the cluster and
// finds the strongest of those that remain. Floor: 3 D + 4 operations and 4 D + 8 bytes from L1 or
// L2 for each hit and cluster.
#include "lib/math/no_contraction.h"

#include "lib/cuda/cuda.h"

#include "lib/math/normal.h"
#include "condense/condense_call.h"

namespace upsilon {
namespace {

struct Candidate {
  float beta;
  int32_t hit;  // -1: none
};
UPS_ON_DEVICE bool beats(const Candidate& a, const Candidate& b) {
  return a.hit >= 0 && (b.hit < 0 || a.beta > b.beta || (a.beta == b.beta && a.hit < b.hit));
}

// The block's strongest, the same in every thread.
template <int threads>
UPS_ON_DEVICE Candidate strongest_of(Candidate own) {
  UPS_SHARED(Candidate, of_warps, [threads / 32]);
  const auto warp = ups::Tile<32>::here();
  UPS_UNROLL
  for (int distance = 16; distance > 0; distance /= 2) {
    const Candidate other{warp.shfl_xor(own.beta, distance), warp.shfl_xor(own.hit, distance)};
    if (beats(other, own)) own = other;
  }
  if (warp.rank == 0) of_warps[threadIdx.x / 32] = own;
  __syncthreads();
  UPS_UNROLL
  for (int w = 0; w < threads / 32; ++w)
    if (beats(of_warps[w], own)) own = of_warps[w];
  __syncthreads();
  return own;
}

template <int threads>
UPS_KERNEL_LB(threads)
condense(const int32_t* fault, Condense<float> f) {
  if (*fault != 0) return;
  const int64_t event = blockIdx.x, begin = f.offsets[event], end = f.offsets[event + 1];
  const int64_t first = begin + static_cast<int64_t>(threadIdx.x);
  const auto offer = [&](Candidate& best, int64_t i) {
    const Candidate next{f.beta[i], static_cast<int32_t>(i)};
    if (next.beta > f.t_beta && beats(next, best)) best = next;
  };
  Candidate best{0, -1};
  for (int64_t i = first; i < end; i += threads) {
    f.clusters[i] = f.points[i] = -1;
    offer(best, i);
  }
  int32_t count = 0;
  for (;; ++count) {
    const int64_t point = strongest_of<threads>(best).hit;
    if (point < 0) break;
    if (threadIdx.x == 0) f.points[begin + count] = static_cast<int32_t>(point);
    best = {0, -1};
    for (int64_t i = first; i < end; i += threads) {
      if (f.clusters[i] >= 0) continue;
      float distance2 = 0;
      for (int64_t d = 0; d < f.dimensions; ++d) {
        const float difference = f.x[i * f.dimensions + d] - f.x[point * f.dimensions + d];
        distance2 += rounded_product(difference, difference);
      }
      if (i == point || distance2 <= f.t_d2) f.clusters[i] = count;
      else offer(best, i);
    }
  }
  if (threadIdx.x == 0) f.counts[event] = count;
}

// Rows outside every event.
template <int threads>
UPS_KERNEL_LB(threads)
clear_outside(const int32_t* fault, Condense<float> f) {
  if (*fault != 0) return;
  const int64_t begin = f.offsets[0], end = f.offsets[f.events];
  for (int64_t i = global_thread(); i < f.hits; i += global_threads())
    if (i < begin || i >= end) f.clusters[i] = f.points[i] = -1;
}

ups_status run(const Call& call) {
  constexpr int event_threads = 128;
  const Condense<float> f(call);
  Launcher launch(call);
  launch.elements(clear_outside<block_threads>, f.hits, f);
  launch.grid(condense<event_threads>, f.events, 1, event_threads, 0, f);
  return launch.status();
}

UPS_CUDA_VARIANT(entry, CondenseCall, run)

}  // namespace
}  // namespace upsilon
