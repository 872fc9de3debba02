// CUDA. Floor: memory; two counting sorts of 8 bits a pass (lib/segments/counting_sort.h), four
// passes by key and as many by set as its numbers have bytes.
#include "argsort/argsort.h"

#include "argsort/argsort_call.h"
#include "lib/segments/set_sort.cuh"

namespace upsilon {
namespace {

// From places, which begin with the first set, to positions.
template <int threads, class T>
UPS_KERNEL_LB(threads)
put_in_place(const int32_t* fault, Argsort<T> f, const int32_t* by_place) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.elements; i += global_threads()) {
    const bool inside = f.sets > 0 && i >= f.offsets[0] && i < f.offsets[f.sets];
    f.order[i] = inside ? by_place[i - f.offsets[0]] : static_cast<int32_t>(i);
  }
}

template <class T>
struct Plan {
  SetSort sort;
  int32_t* by_place;
  Plan(const Argsort<T>& f, WorkspaceLayout& workspace)
      : sort(workspace, f.elements, f.sets), by_place(workspace.reserve<int32_t>(f.elements)) {}
};

template <class T>
ups_status run(const Call& call) {
  const Argsort<T> f(call);
  auto plan = scratch_of<Plan<T>>(call, f);
  Launcher launch(call);
  plan.sort.run(launch, NumberKeys<T>{f.keys, f.descending}, nullptr, f.offsets, plan.by_place);
  launch.elements(put_in_place<block_threads, T>, f.elements, f, plan.by_place);
  return launch.status();
}

UPS_CUDA_VARIANT(reals, ArgsortCall, run<float>, workspace_of<Argsort<float>, Plan<float>>)
UPS_CUDA_VARIANT(integers, ArgsortIntegersCall, run<int32_t>, workspace_of<Argsort<int32_t>, Plan<int32_t>>)

}  // namespace
}  // namespace upsilon
