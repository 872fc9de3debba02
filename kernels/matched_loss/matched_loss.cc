// Reference: the definition, in plain loops.
#include "matched_loss/matched_loss.h"

#include "lib/kernel.h"
#include "matched_loss/matched_loss_call.h"

namespace upsilon {
namespace {

struct Scratch {
  int64_t* begins;
  template <class T>
  Scratch(const MatchedLoss<T>& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.pairs.events + 1)) {}
};

template <class T>
LossSum sum_of_all(const MatchedLoss<T>& f, int64_t* begins) {
  f.pairs.find_beginnings(begins);
  LossSum sum;
  for (int64_t b = 0; b < f.pairs.events; ++b) sum.join(sum_of_event(f, b, begins[b]));
  return sum;
}

template <class T>
ups_status forward_reference(const Call& call) {
  const MatchedLossForward<T> f(call);
  f.loss[0] = static_cast<T>(sum_of_all(f, scratch_of<Scratch>(call, f).begins).result(f.is_mean));
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const MatchedLossBackward<T> f(call);
  int64_t* const begins = scratch_of<Scratch>(call, f).begins;
  const double gradient = static_cast<double>(f.dloss[0]) * sum_of_all(f, begins).slope(f.is_mean);
  clear(f.dpair_loss, f.pairs.entries);
  clear(f.dunmatched, f.rows);
  for (int64_t b = 0; b < f.pairs.events; ++b)
    for (int64_t i = 0; i < f.pairs.rows(b); ++i) {
      const int64_t entry = f.entry_of(b, begins[b], i);
      if (entry >= 0 && f.dpair_loss) f.dpair_loss[entry] = static_cast<T>(gradient);
      if (entry < 0 && f.dunmatched)
        f.dunmatched[f.pairs.row_offsets[b] + i] = static_cast<T>(gradient * f.unmatched_weight);
    }
  return UPS_OK;
}

const OperationOf<MatchedLossForwardCall> forward{
    {forward_reference<float>, workspace_of<MatchedLossForward<float>, Scratch>},
    {forward_reference<double>, workspace_of<MatchedLossForward<double>, Scratch>}};
const OperationOf<MatchedLossBackwardCall> backward{
    {backward_reference<float>, workspace_of<MatchedLossBackward<float>, Scratch>},
    {backward_reference<double>, workspace_of<MatchedLossBackward<double>, Scratch>}};

}  // namespace
}  // namespace upsilon

ups_status ups_matched_loss_forward(ups_context* context, const ups_tensor* pair_loss, const ups_tensor* row_offsets,
                                    const ups_tensor* column_offsets, const ups_tensor* column_of_row,
                                    const ups_tensor* row_of_column, const ups_tensor* status,
                                    const ups_tensor* unmatched, ups_tensor* loss,
                                    const ups_matched_loss_options* options) noexcept {
  return upsilon::call(context, upsilon::forward,
                       {pair_loss, row_offsets, column_offsets, column_of_row, row_of_column, status, unmatched, loss},
                       options);
}

ups_status ups_matched_loss_backward(ups_context* context, const ups_tensor* pair_loss, const ups_tensor* row_offsets,
                                     const ups_tensor* column_offsets, const ups_tensor* column_of_row,
                                     const ups_tensor* row_of_column, const ups_tensor* status,
                                     const ups_tensor* unmatched, const ups_tensor* dloss, ups_tensor* dpair_loss,
                                     ups_tensor* dunmatched, const ups_matched_loss_options* options) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {pair_loss, row_offsets, column_offsets, column_of_row, row_of_column, status, unmatched, dloss,
                        dpair_loss, dunmatched},
                       options);
}
