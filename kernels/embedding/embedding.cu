// CUDA: a gather of rows; backward sorts the elements by table entry and adds up each entry's rows.
#include "embedding/embedding.h"

#include "lib/segments/counting_sort.h"
#include "lib/segments/segments.h"
#include "embedding/embedding_call.h"

namespace upsilon {
namespace {

template <int threads>
UPS_KERNEL_LB(threads)
look_up(const int32_t* fault, EmbeddingForward<float> f, int lanes) {
  if (*fault != 0) return;
  const int64_t width = f.width + f.appended;
  for (int64_t row = global_thread() / lanes; row < f.rows; row += global_threads() / lanes) {
    const float* entry = f.table + f.indices[row] * f.width;
    for (int64_t c = threadIdx.x % lanes; c < width; c += lanes)
      f.y[row * width + c] = c < f.width ? entry[c] : f.append[row * f.appended + c - f.width];
  }
}

ups_status forward(const Call& call) {
  const EmbeddingForward<float> f(call);
  Launcher launch(call);
  const int lanes = lanes_for(f.width + f.appended);
  launch.elements(look_up<block_threads>, f.rows * lanes, f, lanes);
  return launch.status();
}

template <int threads>
UPS_KERNEL_LB(threads)
take_appended(const int32_t* fault, EmbeddingBackward<float> f, int lanes) {
  if (*fault != 0) return;
  for (int64_t row = global_thread() / lanes; row < f.rows; row += global_threads() / lanes)
    for (int64_t c = threadIdx.x % lanes; c < f.appended; c += lanes)
      f.dappend[row * f.appended + c] = f.dy[row * (f.width + f.appended) + f.width + c];
}

struct Scratch {
  CountingSort sort;
  int32_t* offsets;
  Segments segments;
  float* partial;
  Scratch(const EmbeddingBackward<float>& f, WorkspaceLayout& workspace) : sort(workspace, f.rows, f.entries) {
    offsets = workspace.reserve<int32_t>(f.entries + 1);
    segments = {offsets, sort.order, f.dy, f.width + f.appended, f.rows, f.entries, f.width};
    partial = workspace.reserve<float>(segment_floats(segments));
  }
  static bool needed(const EmbeddingBackward<float>& f) { return f.dtable != nullptr; }
};

ups_status backward(const Call& call) {
  const EmbeddingBackward<float> f(call);
  Launcher launch(call);
  if (f.dappend && f.appended > 0) {
    const int lanes = lanes_for(f.appended);
    launch.elements(take_appended<block_threads>, f.rows * lanes, f, lanes);
  }
  if (f.dtable) {
    auto scratch = scratch_of<Scratch>(call, f);
    scratch.sort.run(launch, f.indices);
    scratch.sort.bucket_offsets(launch, scratch.offsets, f.entries + 1);
    segment_sums(launch, scratch.segments, false, scratch.partial, f.dtable);
  }
  return launch.status();
}

// Positions are 32-bit.
bool supports(const Call& call) { return EmbeddingBackwardCall(call).dim("N") <= INT32_MAX; }

UPS_CUDA_VARIANT(forward, EmbeddingForwardCall, forward)
UPS_CUDA_VARIANT(backward, EmbeddingBackwardCall, backward, workspace_of<EmbeddingBackward<float>, Scratch>, supports)

}  // namespace
}  // namespace upsilon
