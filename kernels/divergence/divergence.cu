// CUDA. One block: histograms have few bins. Thread t adds up the bins t, t + 128, ..., and the
// threads are added up in order.
#include "divergence/divergence.h"

#include "lib/cuda/cuda.h"
#include "divergence/divergence_call.h"

namespace upsilon {
namespace {

constexpr int sum_threads = 128;

struct Pair {
  double p, q;
};

// The sums of what all threads bring, in every thread.
template <int threads>
UPS_ON_DEVICE Pair sum_of_block(Pair own, Pair* shared) {
  __syncthreads();
  shared[threadIdx.x] = own;
  __syncthreads();
  Pair sum{0, 0};
  for (int t = 0; t < threads; ++t) {
    sum.p += shared[t].p;
    sum.q += shared[t].q;
  }
  return sum;
}

template <int threads>
UPS_ON_DEVICE Pair totals_of(const Divergence& f, Pair* shared) {
  Pair own{0, 0};
  for (int64_t k = threadIdx.x; k < f.bins; k += threads) {
    own.p += f.content(f.p, k);
    own.q += f.content(f.q, k);
  }
  return sum_of_block<threads>(own, shared);
}

template <int threads>
UPS_KERNEL_LB(threads)
add_terms(const int32_t* fault, DivergenceForward f) {
  if (*fault != 0) return;
  UPS_SHARED(Pair, shared, [threads]);
  const Pair totals = totals_of<threads>(f, shared);
  Pair own{0, 0};
  for (int64_t k = threadIdx.x; k < f.bins; k += threads)
    own.p += f.term(f.content(f.p, k) / totals.p, f.content(f.q, k) / totals.q);
  const Pair sum = sum_of_block<threads>(own, shared);
  if (threadIdx.x == 0) *f.value = totals.p > 0 && totals.q > 0 ? sum.p : static_cast<double>(NAN);
}

template <int threads>
UPS_KERNEL_LB(threads)
differentiate_bins(const int32_t* fault, DivergenceBackward f) {
  if (*fault != 0) return;
  UPS_SHARED(Pair, shared, [threads]);
  const Pair totals = totals_of<threads>(f, shared);
  Pair own{0, 0};
  for (int64_t k = threadIdx.x; k < f.bins; k += threads) {
    const double of_p = f.content(f.p, k) / totals.p, of_q = f.content(f.q, k) / totals.q;
    const DivergenceBackward::Slopes slopes = f.slopes(of_p, of_q);
    own.p += of_p * slopes.of_p;
    own.q += of_q * slopes.of_q;
  }
  const Pair mean = sum_of_block<threads>(own, shared);
  for (int64_t k = threadIdx.x; k < f.bins; k += threads)
    f.store(k, f.slopes(f.content(f.p, k) / totals.p, f.content(f.q, k) / totals.q), {mean.p, mean.q}, totals.p,
            totals.q);
}

ups_status forward(const Call& call) {
  Launcher launch(call);
  launch.grid(add_terms<sum_threads>, 1, 1, sum_threads, 0, DivergenceForward(call));
  return launch.status();
}

ups_status backward(const Call& call) {
  Launcher launch(call);
  launch.grid(differentiate_bins<sum_threads>, 1, 1, sum_threads, 0, DivergenceBackward(call));
  return launch.status();
}

UPS_CUDA_VARIANT(forward, DivergenceForwardCall, forward)
UPS_CUDA_VARIANT(backward, DivergenceBackwardCall, backward)

}  // namespace
}  // namespace upsilon
