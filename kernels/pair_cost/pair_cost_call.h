// Checked calls of pair_cost, as plain numbers and pointers.
#pragma once
#include <cmath>

#include "lib/segments/pair_matrices.h"
#include "core/named_call.h"
#include "pair_cost/pair_cost.h"

namespace upsilon {

inline constexpr OperationLine pair_cost_forward_line{"pair_cost_forward", UPS_PAIR_COST_FORWARD_SCHEMA};
using PairCostForwardCall = CallOf<pair_cost_forward_line, ups_pair_cost_options>;
inline constexpr OperationLine pair_cost_backward_line{"pair_cost_backward", UPS_PAIR_COST_BACKWARD_SCHEMA};
using PairCostBackwardCall = CallOf<pair_cost_backward_line, ups_pair_cost_options>;

template <class T>
struct PairCost {
  int64_t predictions, features, targets;
  PairMatrices pairs;
  const T *prediction, *target;
  int32_t kind;

  template <NamedCall Named>
  explicit PairCost(const Named& call)
      : predictions(call.dim("N")), features(call.dim("F")), targets(call.dim("M")),
        pairs{call.dim("B"), call.dim("P"), call["prediction_offsets"], call["target_offsets"]},
        prediction(call["prediction"]), target(call["target"]), kind(call.options().kind) {}
};

template <class T>
struct PairCostForward : PairCost<T> {
  T* cost;
  explicit PairCostForward(const PairCostForwardCall& call) : PairCost<T>(call), cost(call["cost"]) {}
};

template <class T>
struct PairCostBackward : PairCost<T> {
  const T* dcost;
  T *dprediction, *dtarget;  // null where not wanted
  explicit PairCostBackward(const PairCostBackwardCall& call)
      : PairCost<T>(call), dcost(call["dcost"]), dprediction(call["dprediction"]), dtarget(call["dtarget"]) {}
};

// The logarithm of the sum of exponentials; -inf without any.
template <class T>
UPS_HD inline T log_sum_exp(const T* logits, int64_t count) {
  if (count == 0) return -static_cast<T>(INFINITY);
  T largest = logits[0];
  for (int64_t f = 1; f < count; ++f) largest = logits[f] > largest ? logits[f] : largest;
  T sum(0);
  for (int64_t f = 0; f < count; ++f) sum += std::exp(logits[f] - largest);
  return largest + std::log(sum);
}

}  // namespace upsilon
