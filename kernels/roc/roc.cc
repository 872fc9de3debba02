// Reference: the definition. Every point by a look at all elements, the area by all pairs.
#include "roc/roc.h"

#include "core/validity.h"
#include <functional>
#include <limits>

#include "roc/roc_call.h"

namespace upsilon {
namespace {

template <class T>
struct Definition {
  const Roc<T>& f;

  double weight(int64_t i) const { return f.weights ? static_cast<double>(f.weights[i]) : 1.0; }
  double kept(bool signal, double threshold) const {
    double sum = 0;
    for (int64_t i = 0; i < f.elements; ++i)
      if ((f.labels[i] != 0) == signal && static_cast<double>(f.scores[i]) >= threshold) sum += weight(i);
    return sum;
  }
  double ordered_pairs() const {
    double sum = 0;
    for (int64_t i = 0; i < f.elements; ++i)
      for (int64_t j = 0; j < f.elements; ++j)
        if (f.labels[i] != 0 && f.labels[j] == 0)
          sum += weight(i) * weight(j) * (f.scores[i] > f.scores[j] ? 1.0 : f.scores[i] == f.scores[j] ? 0.5 : 0.0);
    return sum;
  }
};

struct Scratch {
  double *thresholds, *false_positive, *true_positive;
  template <class T>
  Scratch(const Roc<T>& f, WorkspaceLayout& workspace)
      : thresholds(workspace.reserve<double>(f.elements + 1)),
        false_positive(workspace.reserve<double>(f.elements + 1)),
        true_positive(workspace.reserve<double>(f.elements + 1)) {}
};

template <class T>
ups_status reference(const Call& call) {
  const Roc<T> f(call);
  const Definition<T> definition{f};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto [thresholds, false_positive, true_positive] = scratch_of<Scratch>(call, f);
  thresholds[0] = infinity;
  for (int64_t i = 0; i < f.elements; ++i) thresholds[i + 1] = static_cast<double>(f.scores[i]);
  std::sort(thresholds + 1, thresholds + f.elements + 1, std::greater<>());
  const double signal = definition.kept(true, -infinity), background = definition.kept(false, -infinity);
  for (int64_t k = 0; k <= f.elements; ++k) {
    true_positive[k] = (k == 0 ? 0 : definition.kept(true, thresholds[k])) / signal;
    false_positive[k] = (k == 0 ? 0 : definition.kept(false, thresholds[k])) / background;
  }
  if (f.auc) *f.auc = definition.ordered_pairs() / (signal * background);
  const auto copy = [&](const double* from, double* to) {
    if (to) std::copy(from, from + f.elements + 1, to);
  };
  copy(thresholds, f.thresholds);
  copy(false_positive, f.false_positive);
  copy(true_positive, f.true_positive);
  for (int64_t e = 0; e < f.wanted; ++e) {
    int64_t best = 0;
    for (int64_t k = 1; k <= f.elements; ++k)
      if (std::fabs(true_positive[k] - f.efficiencies[e]) < std::fabs(true_positive[best] - f.efficiencies[e]))
        best = k;
    if (f.rejection) f.rejection[e] = 1 / false_positive[best];
    if (f.cut) f.cut[e] = thresholds[best];
  }
  return UPS_OK;
}

void validate(const RocCall&, RefusalOf<RocCall>& refuse) {
  refuse.given_without("rejection", "efficiencies");
  refuse.given_without("cut", "efficiencies");
}

const OperationOf<RocCall> operation{{reference<float>, workspace_of<Roc<float>, Scratch>},
                                     {reference<double>, workspace_of<Roc<double>, Scratch>},
                                     validated_by<validate>};

}  // namespace
}  // namespace upsilon

ups_status ups_roc(ups_context* context, const ups_tensor* scores, const ups_tensor* labels, const ups_tensor* weights,
                   const ups_tensor* efficiencies, ups_tensor* auc, ups_tensor* false_positive,
                   ups_tensor* true_positive, ups_tensor* thresholds, ups_tensor* rejection, ups_tensor* cut) noexcept {
  return upsilon::call(
      context, upsilon::operation,
      {scores, labels, weights, efficiencies, auc, false_positive, true_positive, thresholds, rejection, cut}, nullptr);
}
