// Value and gradients of divergence on the CPU.
#pragma once
#include "divergence/divergence_call.h"

namespace upsilon {

struct DivergenceTotals {
  double p = 0, q = 0;
  explicit DivergenceTotals(const Divergence& f) {
    for (int64_t k = 0; k < f.bins; ++k) p += f.content(f.p, k), q += f.content(f.q, k);
  }
};

inline double divergence_of(const Divergence& f) {
  const DivergenceTotals totals(f);
  if (!(totals.p > 0 && totals.q > 0)) return NAN;
  double sum = 0;
  for (int64_t k = 0; k < f.bins; ++k) sum += f.term(f.content(f.p, k) / totals.p, f.content(f.q, k) / totals.q);
  return sum;
}

inline void differentiate_divergence(const DivergenceBackward& f) {
  const DivergenceTotals totals(f);
  const auto of_p = [&](int64_t k) { return f.content(f.p, k) / totals.p; };
  const auto of_q = [&](int64_t k) { return f.content(f.q, k) / totals.q; };
  DivergenceBackward::Slopes mean{0, 0};
  for (int64_t k = 0; k < f.bins; ++k) {
    const DivergenceBackward::Slopes own = f.slopes(of_p(k), of_q(k));
    mean.of_p += of_p(k) * own.of_p;
    mean.of_q += of_q(k) * own.of_q;
  }
  for (int64_t k = 0; k < f.bins; ++k) f.store(k, f.slopes(of_p(k), of_q(k)), mean, totals.p, totals.q);
}

}  // namespace upsilon
