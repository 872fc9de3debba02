// Checked calls of pair_cost, as plain numbers and pointers.
#pragma once
#include <cmath>

#include "lib/segments/pair_matrices.h"
#include "core/operation.h"
#include "pair_cost/pair_cost.h"

namespace upsilon {

template <class T>
struct PairCost {
  int64_t predictions, features, targets;
  PairMatrices pairs;
  const T *prediction, *target;
  int32_t kind;

  explicit PairCost(const Call& call)
      : predictions(call.dims[0]), features(call.dims[1]), targets(call.dims[3]),
        pairs{call.dims[2], call.dims[4], call.data<const int32_t>(1), call.data<const int32_t>(3)},
        prediction(call.data<const T>(0)), target(call.data<const T>(2)),
        kind(call.option<ups_pair_cost_options>().kind) {}
};

template <class T>
struct PairCostForward : PairCost<T> {
  T* cost;
  explicit PairCostForward(const Call& call) : PairCost<T>(call), cost(call.data<T>(4)) {}
};

template <class T>
struct PairCostBackward : PairCost<T> {
  const T* dcost;
  T *dprediction, *dtarget;  // null where not wanted
  explicit PairCostBackward(const Call& call)
      : PairCost<T>(call), dcost(call.data<const T>(4)), dprediction(call.data<T>(5)), dtarget(call.data<T>(6)) {}
};

// The logarithm of the sum of exponentials; -inf of nothing.
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
