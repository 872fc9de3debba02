// CUDA: a thread sums up an event, a block all events in the order of its threads. Floor: 8 N bytes
// and a sector for every pair; backward writes 4 P bytes.
#include "lib/segments/pair_matrices.cuh"

#include "matched_loss/matched_loss_call.h"

namespace upsilon {
namespace {

template <int threads>
UPS_KERNEL_LB(threads)
sum_events(const int32_t* fault, MatchedLoss<float> f, const int64_t* begins, LossSum* sums) {
  if (*fault != 0) return;
  for (int64_t b = global_thread(); b < f.pairs.events; b += global_threads()) sums[b] = sum_of_event(f, b, begins[b]);
}

// The sum of all events to `sum`, and the loss where it is wanted.
template <int threads>
UPS_KERNEL_LB(threads)
sum_up(const int32_t* fault, MatchedLoss<float> f, const LossSum* sums, LossSum* sum, float* loss) {
  if (*fault != 0) return;
  UPS_SHARED(LossSum, parts, [threads]);
  const int64_t each = (f.pairs.events + threads - 1) / threads;
  const int64_t first = ups::min(each * threadIdx.x, f.pairs.events), last = ups::min(first + each, f.pairs.events);
  LossSum own;
  for (int64_t b = first; b < last; ++b) own.join(sums[b]);
  parts[threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int other = 1; other < threads; ++other) own.join(parts[other]);
  *sum = own;
  if (loss) *loss = static_cast<float>(own.result(f.is_mean));
}

template <int threads>
UPS_KERNEL_LB(threads)
put_gradients(const int32_t* fault, MatchedLossBackward<float> f, const int64_t* begins, const LossSum* sum) {
  if (*fault != 0) return;
  const double gradient = static_cast<double>(*f.dloss) * sum->slope(f.is_mean);
  for (int64_t b = global_thread(); b < f.pairs.events; b += global_threads())
    for (int64_t i = 0; i < f.pairs.rows(b); ++i) {
      const int64_t entry = f.entry_of(b, begins[b], i);
      if (f.dpair_loss && entry >= 0) f.dpair_loss[entry] = static_cast<float>(gradient);
      if (f.dunmatched && entry < 0)
        f.dunmatched[f.pairs.row_offsets[b] + i] = static_cast<float>(gradient * f.unmatched_weight);
    }
}

struct Scratch {
  int64_t* begins;
  LossSum *sums, *sum;
  Scratch(const MatchedLoss<float>& f, WorkspaceLayout& workspace)
      : begins(workspace.reserve<int64_t>(f.pairs.events + 1)), sums(workspace.reserve<LossSum>(f.pairs.events)),
        sum(workspace.reserve<LossSum>(1)) {}
};

void sum_of_all(Launcher& launch, const MatchedLoss<float>& f, const Scratch& scratch, float* loss) {
  launch.grid(find_pair_matrices<block_threads>, 1, 1, block_threads, 0, f.pairs, scratch.begins);
  launch.elements(sum_events<block_threads>, f.pairs.events, f, scratch.begins, scratch.sums);
  launch.grid(sum_up<block_threads>, 1, 1, block_threads, 0, f, scratch.sums, scratch.sum, loss);
}

ups_status forward(const Call& call) {
  const MatchedLossForward<float> f(call);
  Launcher launch(call);
  sum_of_all(launch, f, scratch_of<Scratch>(call, f), f.loss);
  return launch.status();
}

ups_status backward(const Call& call) {
  const MatchedLossBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  if (f.dpair_loss) launch.clear(f.dpair_loss, static_cast<size_t>(f.pairs.entries) * sizeof(float));
  if (f.dunmatched) launch.clear(f.dunmatched, static_cast<size_t>(f.rows) * sizeof(float));
  sum_of_all(launch, f, scratch, nullptr);
  launch.elements(put_gradients<block_threads>, f.pairs.events, f, scratch.begins, scratch.sum);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, MatchedLossForwardCall, forward, workspace_of<MatchedLossForward<float>, Scratch>)
UPS_CUDA_VARIANT(backward, MatchedLossBackwardCall, backward, workspace_of<MatchedLossBackward<float>, Scratch>)

}  // namespace
}  // namespace upsilon
