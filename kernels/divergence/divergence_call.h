// Checked calls of divergence, as plain numbers and pointers, and the terms of a bin.
#pragma once
#include <cmath>

#include "core/named_call.h"
#include "lib/kernel.h"
#include "divergence/divergence.h"

#ifndef UPS_HD
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

inline constexpr OperationLine divergence_forward_line{"divergence_forward", UPS_DIVERGENCE_FORWARD_SCHEMA};
using DivergenceForwardCall = CallOf<divergence_forward_line, ups_divergence_options>;
inline constexpr OperationLine divergence_backward_line{"divergence_backward", UPS_DIVERGENCE_BACKWARD_SCHEMA};
using DivergenceBackwardCall = CallOf<divergence_backward_line, ups_divergence_options>;

struct Divergence {
  int64_t bins;
  const double *p, *q;
  double pseudocount, per_log;
  bool is_symmetric;

  template <NamedCall Named>
  explicit Divergence(const Named& call) : bins(call.dim("B")), p(call["p"]), q(call["q"]) {
    const auto& options = call.options();
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
  explicit DivergenceForward(const DivergenceForwardCall& call) : Divergence(call), value(call["value"]) {}
};

struct DivergenceBackward : Divergence {
  const double* dvalue;
  double *dp, *dq;  // null where not wanted
  explicit DivergenceBackward(const DivergenceBackwardCall& call)
      : Divergence(call), dvalue(call["dvalue"]), dp(call["dp"]), dq(call["dq"]) {}

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
