// Mean and variance of numbers that come in pieces, for the CPU and for CUDA.
#pragma once

#if !defined(UPS_HD)
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

// How many numbers there were, their mean and the sum of their squared deviations from it; pieces
// are joined by the rule of T. Chan, G. Golub, R. LeVeque, Am. Stat. 37, 242 (1983).
struct Moments {
  double count = 0, mean = 0, deviation = 0;

  UPS_HD void join(const Moments& more) {
    if (more.count == 0) return;
    const double all = count + more.count, difference = more.mean - mean;
    mean += difference * (more.count / all);
    deviation += more.deviation + difference * difference * (count * more.count / all);
    count = all;
  }
  // Rounding may leave a deviation below 0; NaN stays.
  UPS_HD double variance() const { return count == 0 || deviation < 0 ? 0.0 : deviation / count; }
  UPS_HD double unbiased_variance() const { return count > 1 ? variance() * (count / (count - 1)) : variance(); }
};

}  // namespace upsilon
