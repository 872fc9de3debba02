// Reference: the definition, in plain loops.
#include "pair_cost/pair_cost.h"

#include "lib/kernel.h"
#include "pair_cost/pair_cost_call.h"

namespace upsilon {
namespace {

struct Scratch {
  int64_t* begins;
  template <class T>
  Scratch(const PairCost<T>& f, WorkspaceLayout& workspace) : begins(workspace.reserve<int64_t>(f.pairs.events + 1)) {}
};

// Calls body(i, j, entry) for every pair.
template <class T, class Body>
void each_pair(const PairCost<T>& f, const Call& call, Body&& body) {
  int64_t* const begins = scratch_of<Scratch>(call, f).begins;
  f.pairs.find_beginnings(begins);
  for (int64_t b = 0; b < f.pairs.events; ++b) {
    if (!f.pairs.has(b, begins[b])) continue;
    int64_t entry = begins[b];
    for (int64_t i = f.pairs.row_offsets[b]; i < f.pairs.row_offsets[b + 1]; ++i)
      for (int64_t j = f.pairs.column_offsets[b]; j < f.pairs.column_offsets[b + 1]; ++j) body(i, j, entry++);
  }
}

template <class T>
ups_status forward_reference(const Call& call) {
  const PairCostForward<T> f(call);
  std::fill_n(f.cost, f.pairs.entries, T(0));
  each_pair(f, call, [&](int64_t i, int64_t j, int64_t entry) {
    const T *p = f.prediction + i * f.features, *t = f.target + j * f.features;
    const T log_sum = log_sum_exp(p, f.features);
    T sum(0);
    for (int64_t c = 0; c < f.features; ++c) {
      const T difference = p[c] - t[c];
      sum += f.kind == UPS_PAIR_SQUARED_ERROR    ? difference * difference
             : f.kind == UPS_PAIR_ABSOLUTE_ERROR ? std::fabs(difference)
                                                 : t[c] * (log_sum - p[c]);
    }
    f.cost[entry] = sum;
  });
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const PairCostBackward<T> f(call);
  clear(f.dprediction, f.predictions * f.features);
  clear(f.dtarget, f.targets * f.features);
  each_pair(f, call, [&](int64_t i, int64_t j, int64_t entry) {
    const T gradient = f.dcost[entry];
    if (gradient == 0) return;
    const T *p = f.prediction + i * f.features, *t = f.target + j * f.features;
    const T log_sum = log_sum_exp(p, f.features);
    T weight(0);
    for (int64_t c = 0; c < f.features; ++c) weight += t[c];
    for (int64_t c = 0; c < f.features; ++c) {
      const T difference = p[c] - t[c];
      T of_prediction, of_target;
      if (f.kind == UPS_PAIR_CROSS_ENTROPY) {
        of_prediction = weight * std::exp(p[c] - log_sum) - t[c];
        of_target = log_sum - p[c];
      } else {
        of_prediction = f.kind == UPS_PAIR_SQUARED_ERROR ? 2 * difference : T((difference > 0) - (difference < 0));
        of_target = -of_prediction;
      }
      if (f.dprediction) f.dprediction[i * f.features + c] += gradient * of_prediction;
      if (f.dtarget) f.dtarget[j * f.features + c] += gradient * of_target;
    }
  });
  return UPS_OK;
}

const OperationOf<PairCostForwardCall> forward{
    {forward_reference<float>, workspace_of<PairCostForward<float>, Scratch>},
    {forward_reference<double>, workspace_of<PairCostForward<double>, Scratch>}};
const OperationOf<PairCostBackwardCall> backward{
    {backward_reference<float>, workspace_of<PairCostBackward<float>, Scratch>},
    {backward_reference<double>, workspace_of<PairCostBackward<double>, Scratch>}};

}  // namespace
}  // namespace upsilon

ups_status ups_pair_cost_forward(ups_context* context, const ups_tensor* prediction,
                                 const ups_tensor* prediction_offsets, const ups_tensor* target,
                                 const ups_tensor* target_offsets, ups_tensor* cost,
                                 const ups_pair_cost_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {prediction, prediction_offsets, target, target_offsets, cost},
                       options);
}

ups_status ups_pair_cost_backward(ups_context* context, const ups_tensor* prediction,
                                  const ups_tensor* prediction_offsets, const ups_tensor* target,
                                  const ups_tensor* target_offsets, const ups_tensor* dcost, ups_tensor* dprediction,
                                  ups_tensor* dtarget, const ups_pair_cost_options* options) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {prediction, prediction_offsets, target, target_offsets, dcost, dprediction, dtarget}, options);
}
