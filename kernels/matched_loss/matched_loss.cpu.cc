// Events are shared out among the threads; a row is one gathered number, so there is nothing to lay
// across vectors. Floor: 8 N bytes of the assignment and a cache line for every pair; backward
// writes 4 P bytes, nearly all of them 0.
#include "matched_loss/matched_loss.h"
#include "matched_loss/matched_loss_call.h"

#define UPS_SIMD_SOURCE "matched_loss/matched_loss.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/each_item.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_events = 64;

struct Scratch {
  int64_t* begins;
  LossSum* sums;  // of events
  Scratch(const MatchedLoss<float>& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.pairs.events + 1)), sums(workspace.reserve<LossSum>(f.pairs.events)) {}
};

LossSum sum_of_all(const Call& call, const MatchedLoss<float>& f, const Scratch& scratch) {
  f.pairs.find_beginnings(scratch.begins);
  each_item(*call.threads, f.pairs.events, task_events,
            [&](int64_t b) { scratch.sums[b] = sum_of_event(f, b, scratch.begins[b]); });
  LossSum sum;
  for (int64_t b = 0; b < f.pairs.events; ++b) sum.join(scratch.sums[b]);
  return sum;
}

ups_status forward(const Call& call) {
  const MatchedLossForward<float> f(call);
  f.loss[0] = static_cast<float>(sum_of_all(call, f, scratch_of<Scratch>(call, f)).result(f.is_mean));
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const MatchedLossBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  const double gradient = static_cast<double>(f.dloss[0]) * sum_of_all(call, f, scratch).slope(f.is_mean);
  const auto of_pair = static_cast<float>(gradient), of_unmatched = static_cast<float>(gradient * f.unmatched_weight);
  const int64_t first_row = f.pairs.row_offsets[0], last_row = f.pairs.row_offsets[f.pairs.events];
  clear(f.dunmatched, first_row);
  clear(f.dunmatched ? f.dunmatched + last_row : nullptr, f.rows - last_row);
  const int64_t last_entry = scratch.begins[f.pairs.events];
  clear(f.dpair_loss ? f.dpair_loss + last_entry : nullptr, f.pairs.entries - last_entry);
  each_item(*call.threads, f.pairs.events, task_events, [&](int64_t b) {
    const int64_t begin = scratch.begins[b];
    clear(f.dpair_loss ? f.dpair_loss + begin : nullptr, scratch.begins[b + 1] - begin);
    for (int64_t i = 0; i < f.pairs.rows(b); ++i) {
      const int64_t entry = f.entry_of(b, begin, i);
      if (f.dunmatched) f.dunmatched[f.pairs.row_offsets[b] + i] = entry < 0 ? of_unmatched : 0.0f;
      if (f.dpair_loss && entry >= 0) f.dpair_loss[entry] = of_pair;
    }
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, MatchedLossForwardCall, forward, workspace_of<MatchedLossForward<float>, Scratch>)
UPS_CPU_VARIANT(backward, MatchedLossBackwardCall, backward, workspace_of<MatchedLossBackward<float>, Scratch>)

UPS_SIMD_END
