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

  // The natural logarithm of a / b, accurate also where they are nearly equal, or where their ratio
  // is too small or too large for a number.
  static UPS_HD double log_ratio(double a, double b) {
    const double change = (a - b) / b;
    if (fabs(change) < 0.5) return log1p(change);
    const double ratio = a / b;
    return ratio > 0 && ratio < INFINITY ? log(ratio) : log(a) - log(b);
  }
  // That of a / ((a + b) / 2), the ratio of a to the mean of both; 0 for a share of nothing.
  static UPS_HD double log_to_mean(double a, double b) {
    const double share = a == 0 ? 0 : a / (a + b);
    if (share == 0) return 0;
    return share > 0.25 ? log1p((a - b) / (a + b)) : log(2 * share);
  }

  // What a bin adds to the divergence, so that no bin adds less than 0: P log(P / Q) + (Q - P),
  // where the sums of all P and all Q cancel; for the symmetric form the log sum inequality says
  // so.
  UPS_HD double term(double of_p, double of_q) const {
    if (of_p == 0 && of_q == 0) return 0;
    if (is_symmetric) {
      const double sum = of_p * log_to_mean(of_p, of_q) + of_q * log_to_mean(of_q, of_p);
      return at_least_0(sum) / 2 * per_log;
    }
    return of_p == 0 ? of_q * per_log : at_least_0(of_p * log_ratio(of_p, of_q) + (of_q - of_p)) * per_log;
  }
  static UPS_HD double at_least_0(double number) { return number < 0 ? 0 : number; }  // NaN stays
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
      return {log_ratio(of_p, of_q) * per_log, -of_p / of_q * per_log};
    }
    return {log_to_mean(of_p, of_q) / 2 * per_log, log_to_mean(of_q, of_p) / 2 * per_log};
  }
  UPS_HD void store(int64_t k, const Slopes& own, const Slopes& mean, double total_p, double total_q) const {
    if (dp) dp[k] = p[k] <= 0 ? 0 : *dvalue * (own.of_p - mean.of_p) / total_p;
    if (dq) dq[k] = q[k] <= 0 ? 0 : *dvalue * (own.of_q - mean.of_q) / total_q;
  }
};

}  // namespace upsilon
