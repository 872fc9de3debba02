// SIMD: targets of an event lie across the vectors, features side by side, so that a prediction's
// costs need no sums across lanes. Floor: 3 FLOP a feature and pair. Backward looks at every dcost
// once and computes only where one is not 0, with features across the vectors.
#include "pair_cost/pair_cost.h"

#include "pair_cost/pair_cost_call.h"

#define UPS_SIMD_SOURCE "pair_cost/pair_cost.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/elementary.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_entries = 4096;

struct Scratch {
  int64_t* begins;
  float* turned;  // [features, targets] of each event
  float* numbers;  // [predictions, features]: ln softmax, negative
  Scratch(const PairCostForward<float>& f, WorkspaceLayout& workspace) : Scratch(f, false, workspace) {}
  Scratch(const PairCostBackward<float>& f, WorkspaceLayout& workspace) : Scratch(f, true, workspace) {}

 private:
  Scratch(const PairCost<float>& f, bool backward, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.pairs.events + 1)) {
    turned = backward ? nullptr : workspace.reserve<float>(f.targets * f.features);
    numbers = f.kind == UPS_PAIR_CROSS_ENTROPY ? workspace.reserve<float>(f.predictions * f.features) : nullptr;
  }
};

// Tasks are windows of the matrices: a task has the events that begin in it. Calls body(event) for
// all of them.
template <class Body>
void each_event(const Call& call, const PairMatrices& pairs, const int64_t* begins, Body&& body) {
  const auto place = [&](int64_t event) { return begins[event] + 16 * event; };
  call.threads->run(ceil_div(place(pairs.events), task_entries), [&](int64_t task, int32_t) {
    int64_t low = 0, high = pairs.events;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (place(middle) >= task * task_entries) high = middle;
      else low = middle + 1;
    }
    for (int64_t event = low; event < pairs.events && place(event) < (task + 1) * task_entries; ++event)
      if (pairs.has(event, begins[event])) body(event);
  });
}

// -ln softmax of a row of logits.
void find_surprise(const float* logits, int64_t count, float* surprise) {
  const float log_sum = log_sum_exp(logits, count);
  for (int64_t c = 0; c < count; ++c) surprise[c] = log_sum - logits[c];
}

template <int32_t kind>
void costs_of(const PairCostForward<float>& f, const Scratch& scratch, int64_t event) {
  const int64_t rows = f.pairs.rows(event), columns = f.pairs.columns(event), features = f.features;
  const int64_t first_row = f.pairs.row_offsets[event], first_column = f.pairs.column_offsets[event];
  float* const turned = scratch.turned + first_column * features;
  const float* const target = f.target + first_column * features;
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t c = 0; c < features; ++c) turned[c * columns + j] = target[j * features + c];
  float* cost = f.cost + scratch.begins[event];
  for (int64_t i = 0; i < rows; ++i, cost += columns) {
    const float* numbers = f.prediction + (first_row + i) * features;
    if constexpr (kind == UPS_PAIR_CROSS_ENTROPY) {
      float* const surprise = scratch.numbers + (first_row + i) * features;
      find_surprise(numbers, features, surprise);
      numbers = surprise;
    }
    each_vector(columns, [&](int64_t j, int64_t here) {
      Floats sum = zero();
      for (int64_t c = 0; c < features; ++c) {
        const Floats t = load_some(turned + c * columns + j, here), p = broadcast(numbers[c]);
        if constexpr (kind == UPS_PAIR_CROSS_ENTROPY) sum += t * p;
        else if constexpr (kind == UPS_PAIR_SQUARED_ERROR) sum += (p - t) * (p - t);
        else sum += magnitude(p - t);
      }
      store_some(cost + j, sum, here);
    });
  }
}

template <int32_t kind>
void gradients_of(const PairCostBackward<float>& f, const Scratch& scratch, int64_t event) {
  const int64_t rows = f.pairs.rows(event), columns = f.pairs.columns(event), features = f.features;
  const int64_t first_row = f.pairs.row_offsets[event], first_column = f.pairs.column_offsets[event];
  const float* dcost = f.dcost + scratch.begins[event];
  for (int64_t i = 0; i < rows; ++i, dcost += columns) {
    const int64_t row = (first_row + i) * features;
    bool prepared = false;
    for (int64_t j = 0; j < columns; ++j) {
      if (dcost[j] == 0) continue;
      const int64_t column = (first_column + j) * features;
      const float *p = f.prediction + row, *t = f.target + column;
      float* const surprise = kind == UPS_PAIR_CROSS_ENTROPY ? scratch.numbers + row : nullptr;
      float weight = 0;
      if constexpr (kind == UPS_PAIR_CROSS_ENTROPY) {
        if (!prepared) find_surprise(p, features, surprise);
        prepared = true;
        for (int64_t c = 0; c < features; ++c) weight += t[c];
      }
      each_vector(features, [&](int64_t c, int64_t here) {
        const Floats targets = load_some(t + c, here), gradient = broadcast(dcost[j]);
        Floats of_prediction, of_target;
        if constexpr (kind == UPS_PAIR_CROSS_ENTROPY) {
          of_target = load_some(surprise + c, here);
          of_prediction = broadcast(weight) * exp(-of_target) - targets;
        } else {
          const Floats difference = load_some(p + c, here) - targets;
          if constexpr (kind == UPS_PAIR_SQUARED_ERROR) of_prediction = difference + difference;
          else of_prediction = difference > zero() ? broadcast(1.0f) : difference < zero() ? broadcast(-1.0f) : zero();
          of_target = -of_prediction;
        }
        const auto add = [&](float* to, Floats part) {
          if (to) store_some(to + c, load_some(to + c, here) + gradient * part, here);
        };
        add(f.dprediction ? f.dprediction + row : nullptr, of_prediction);
        add(f.dtarget ? f.dtarget + column : nullptr, of_target);
      });
    }
  }
}

template <class Run>
void with_kind(int32_t kind, Run&& run) {
  if (kind == UPS_PAIR_SQUARED_ERROR) run(std::integral_constant<int32_t, UPS_PAIR_SQUARED_ERROR>());
  else if (kind == UPS_PAIR_ABSOLUTE_ERROR) run(std::integral_constant<int32_t, UPS_PAIR_ABSOLUTE_ERROR>());
  else run(std::integral_constant<int32_t, UPS_PAIR_CROSS_ENTROPY>());
}

ups_status forward(const Call& call) {
  const PairCostForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  f.pairs.find_beginnings(scratch.begins);
  int64_t filled = scratch.begins[f.pairs.events];
  for (int64_t b = f.pairs.events - 1; b >= 0; --b)
    if (!f.pairs.has(b, scratch.begins[b])) filled = scratch.begins[b];
  clear(f.cost + filled, f.pairs.entries - filled);
  with_kind(f.kind, [&](auto kind) {
    each_event(call, f.pairs, scratch.begins, [&](int64_t event) { costs_of<kind()>(f, scratch, event); });
  });
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const PairCostBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  f.pairs.find_beginnings(scratch.begins);
  clear(f.dprediction, f.predictions * f.features);
  clear(f.dtarget, f.targets * f.features);
  with_kind(f.kind, [&](auto kind) {
    each_event(call, f.pairs, scratch.begins, [&](int64_t event) { gradients_of<kind()>(f, scratch, event); });
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, PairCostForwardCall, forward, workspace_of<PairCostForward<float>, Scratch>)
UPS_CPU_VARIANT(backward, PairCostBackwardCall, backward, workspace_of<PairCostBackward<float>, Scratch>)

UPS_SIMD_END
