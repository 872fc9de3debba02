// Checked calls of divergence, as plain numbers and pointers, and the terms of a bin.
#pragma once
#include <cmath>

#include "lib/kernel.h"
#include "divergence/divergence.h"

#ifndef UPS_HD
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

struct Divergence {
  int64_t bins;
  const double *p, *q;
  double pseudocount, per_log;
  bool is_symmetric;

  explicit Divergence(const Call& call)
      : bins(call.dims[0]), p(call.data<const double>(0)), q(call.data<const double>(1)) {
    const auto& options = call.option<ups_divergence_options>();
    pseudocount = options.pseudocount;
    per_log = 1 / std::log(options.base);
    is_symmetric = options.kind == UPS_JENSEN_SHANNON;
  }
  UPS_HD double content(const double* of, int64_t k) const { return (of[k] <= 0 ? 0 : of[k]) + pseudocount; }
  UPS_HD double log_of(double ratio) const { return log(ratio) * per_log; }

  UPS_HD double term(double of_p, double of_q) const {
    if (!is_symmetric) return of_p == 0 ? 0 : of_p * log_of(of_p / of_q);
    const double middle = (of_p + of_q) / 2;
    return ((of_p == 0 ? 0 : of_p * log_of(of_p / middle)) + (of_q == 0 ? 0 : of_q * log_of(of_q / middle))) / 2;
  }
};

struct DivergenceForward : Divergence {
  double* value;
  explicit DivergenceForward(const Call& call) : Divergence(call), value(call.data<double>(2)) {}
};

struct DivergenceBackward : Divergence {
  const double* dvalue;
  double *dp, *dq;  // null where not wanted
  explicit DivergenceBackward(const Call& call)
      : Divergence(call), dvalue(call.data<const double>(2)), dp(call.data<double>(3)), dq(call.data<double>(4)) {}

  // The derivatives by P_k and Q_k, up to what normalisation cancels.
  struct Slopes {
    double of_p, of_q;
  };
  UPS_HD Slopes slopes(double of_p, double of_q) const {
    if (!is_symmetric) {
      if (of_p == 0 || of_q == 0) return {0, 0};
      return {log_of(of_p / of_q), -of_p / of_q * per_log};
    }
    const double middle = (of_p + of_q) / 2;
    return {of_p == 0 ? 0 : log_of(of_p / middle) / 2, of_q == 0 ? 0 : log_of(of_q / middle) / 2};
  }
  UPS_HD void store(int64_t k, const Slopes& own, const Slopes& mean, double total_p, double total_q) const {
    if (dp) dp[k] = p[k] <= 0 ? 0 : *dvalue * (own.of_p - mean.of_p) / total_p;
    if (dq) dq[k] = q[k] <= 0 ? 0 : *dvalue * (own.of_q - mean.of_q) / total_q;
  }
};

}  // namespace upsilon
