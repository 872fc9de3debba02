// Checked calls of matched_loss, as plain numbers and pointers, and what an event has to say.
#pragma once
#include <cmath>

#include "lib/segments/pair_matrices.h"
#include "core/named_call.h"
#include "matched_loss/matched_loss.h"

namespace upsilon {

inline constexpr OperationLine matched_loss_forward_line{"matched_loss_forward", UPS_MATCHED_LOSS_FORWARD_SCHEMA};
using MatchedLossForwardCall = CallOf<matched_loss_forward_line, ups_matched_loss_options>;
inline constexpr OperationLine matched_loss_backward_line{"matched_loss_backward", UPS_MATCHED_LOSS_BACKWARD_SCHEMA};
using MatchedLossBackwardCall = CallOf<matched_loss_backward_line, ups_matched_loss_options>;

template <class T>
struct MatchedLoss {
  PairMatrices pairs;
  int64_t rows;
  const T *pair_loss, *unmatched;
  const int32_t *column_of_row, *row_of_column, *status;
  bool is_mean;
  double unmatched_weight;

  template <NamedCall Named>
  explicit MatchedLoss(const Named& call)
      : pairs{call.dim("B"), call.dim("P"), call["row_offsets"], call["column_offsets"]}, rows(call.dim("R")),
        pair_loss(call["pair_loss"]), unmatched(call["unmatched"]), column_of_row(call["column_of_row"]),
        row_of_column(call["row_of_column"]), status(call["status"]) {
    const auto& options = call.options();
    is_mean = options.reduction == UPS_REDUCTION_MEAN;
    unmatched_weight = options.unmatched_weight;
  }
  // The entry of row i of event b, whose matrix begins there; -1 without a partner. `i` counts
  // inside the event.
  UPS_HD int64_t entry_of(int64_t b, int64_t begin, int64_t i) const {
    const int64_t columns = pairs.columns(b), j = column_of_row[pairs.row_offsets[b] + i];
    if (j < 0 || j >= columns || !pairs.has(b, begin)) return -1;
    return row_of_column[pairs.column_offsets[b] + j] == i ? begin + i * columns + j : -1;
  }
};

template <class T>
struct MatchedLossForward : MatchedLoss<T> {
  T* loss;
  explicit MatchedLossForward(const MatchedLossForwardCall& call) : MatchedLoss<T>(call), loss(call["loss"]) {}
};

template <class T>
struct MatchedLossBackward : MatchedLoss<T> {
  const T* dloss;
  T *dpair_loss, *dunmatched;  // null where not wanted
  explicit MatchedLossBackward(const MatchedLossBackwardCall& call)
      : MatchedLoss<T>(call), dloss(call["dloss"]), dpair_loss(call["dpair_loss"]), dunmatched(call["dunmatched"]) {}
};

// The weighted sum of losses, and the sum of weights, of some rows.
struct LossSum {
  double loss = 0, weight = 0;

  UPS_HD void join(const LossSum& other) {
    loss += other.loss;
    weight += other.weight;
  }
  template <class T>
  UPS_HD void add_row(const MatchedLoss<T>& f, int64_t b, int64_t begin, int64_t i) {
    const int64_t entry = f.entry_of(b, begin, i);
    if (entry >= 0) {
      loss += static_cast<double>(f.pair_loss[entry]);
      weight += 1;
    } else if (f.unmatched) {
      loss += f.unmatched_weight * static_cast<double>(f.unmatched[f.pairs.row_offsets[b] + i]);
      weight += f.unmatched_weight;
    }
  }
  UPS_HD double result(bool is_mean) const { return !is_mean ? loss : weight != 0 ? loss / weight : loss; }
  // What the loss of a pair is worth.
  UPS_HD double slope(bool is_mean) const { return is_mean && weight != 0 ? 1 / weight : 1.0; }
};

template <class T>
UPS_HD inline LossSum sum_of_event(const MatchedLoss<T>& f, int64_t b, int64_t begin) {
  LossSum sum;
  for (int64_t i = 0; i < f.pairs.rows(b); ++i) sum.add_row(f, b, begin, i);
  if (f.status[b] != 0) sum.loss = NAN;
  return sum;
}

}  // namespace upsilon
