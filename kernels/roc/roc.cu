// CUDA. Floor: memory; a counting sort of four passes, then three passes in the order of the
// scores. Elements are in chunks of 1,024, which are summed up by one thread each part and added up
// in order: the bits depend on the scores alone.
#include "roc/roc.h"

#include "lib/segments/set_sort.cuh"
#include "roc/roc_call.h"

namespace upsilon {
namespace {

constexpr int chunk_threads = 128;
constexpr int64_t chunk_elements = 1024;
constexpr int per_thread = static_cast<int>(chunk_elements / chunk_threads);

struct Kept {
  double signal, background;
};

struct Memory {
  CountingSort sort;
  int32_t* keys;
  Kept *before, *chunks, *all;  // before each element in the order of the scores; before each chunk; of all
  double* areas;  // by chunk

  Memory(const Roc<float>& f, WorkspaceLayout& workspace)
      : sort(workspace, f.elements, int64_t{1} << 32), keys(workspace.reserve<int32_t>(f.elements)),
        before(workspace.reserve<Kept>(f.elements + 1)),
        chunks(workspace.reserve<Kept>(ceil_div(f.elements, chunk_elements))), all(workspace.reserve<Kept>(1)),
        areas(workspace.reserve<double>(ceil_div(f.elements, chunk_elements))) {}
};

UPS_ON_DEVICE void add(Kept& kept, const Roc<float>& f, int32_t i) {
  const double weight = f.weights ? static_cast<double>(f.weights[i]) : 1.0;
  if (f.labels[i] != 0) kept.signal += weight;
  else kept.background += weight;
}

// The sums of each chunk; with `before`, from what lies before the chunk, what lies before each
// element.
template <int threads>
UPS_KERNEL_LB(threads)
sum_chunks(const int32_t* fault, Roc<float> f, const int32_t* order, Kept* chunks, Kept* before) {
  if (*fault != 0) return;
  UPS_SHARED(Kept, parts, [threads]);
  const int64_t first = blockIdx.x * chunk_elements + threadIdx.x * per_thread;
  Kept own{0, 0};
  for (int64_t k = first; k < first + per_thread && k < f.elements; ++k) add(own, f, order[k]);
  parts[threadIdx.x] = own;
  __syncthreads();
  const int earlier = before ? static_cast<int>(threadIdx.x) : threads;
  if (!before && threadIdx.x != 0) return;
  Kept sum = before ? chunks[blockIdx.x] : Kept{0, 0};
  for (int t = 0; t < earlier; ++t) {
    sum.signal += parts[t].signal;
    sum.background += parts[t].background;
  }
  if (!before) {
    chunks[blockIdx.x] = sum;
    return;
  }
  for (int64_t k = first; k < first + per_thread && k < f.elements; ++k) {
    before[k] = sum;
    add(sum, f, order[k]);
  }
}

// One thread: sums over chunks become sums over the chunks before.
template <int threads>
UPS_KERNEL_LB(threads)
add_chunks(const int32_t* fault, int64_t count, int64_t elements, Kept* chunks, Kept* before, Kept* all) {
  if (*fault != 0 || global_thread() != 0) return;
  Kept sum{0, 0};
  for (int64_t chunk = 0; chunk < count; ++chunk) {
    const Kept own = chunks[chunk];
    chunks[chunk] = sum;
    sum.signal += own.signal;
    sum.background += own.background;
  }
  before[elements] = sum;
  *all = sum;
}

template <int threads>
UPS_KERNEL_LB(threads)
draw_curve(const int32_t* fault, Roc<float> f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, parts, [threads]);
  const int32_t* const keys = m.sort.keys;
  const Kept all = *m.all;
  double area = 0;
  for (int i = 0; i < per_thread; ++i) {
    const int64_t k = blockIdx.x * chunk_elements + threadIdx.x * per_thread + i;
    if (k >= f.elements) continue;
    int64_t after = k + 1, high = f.elements;  // the end of the group of equal scores
    if (after < high && keys[after] == keys[k])
      while (after < high) {
        const int64_t middle = (after + high) / 2;
        if (static_cast<uint32_t>(keys[middle]) > static_cast<uint32_t>(keys[k])) high = middle;
        else after = middle + 1;
      }
    const Kept kept = m.before[after];
    if (f.false_positive) f.false_positive[k + 1] = kept.background / all.background;
    if (f.true_positive) f.true_positive[k + 1] = kept.signal / all.signal;
    if (f.thresholds) f.thresholds[k + 1] = static_cast<double>(f.scores[m.sort.order[k]]);
    if (k > 0 && keys[k - 1] == keys[k]) continue;
    area += (kept.background - m.before[k].background) * (m.before[k].signal + kept.signal) / 2;
  }
  parts[threadIdx.x] = area;
  __syncthreads();
  if (threadIdx.x != 0) return;
  area = 0;
  for (int t = 0; t < threads; ++t) area += parts[t];
  m.areas[blockIdx.x] = area;
}

template <int threads>
UPS_KERNEL_LB(threads)
finish(const int32_t* fault, Roc<float> f, Memory m, int64_t chunks) {
  if (*fault != 0 || global_thread() != 0) return;
  const Kept all = *m.all;
  if (f.false_positive) f.false_positive[0] = 0 / all.background;
  if (f.true_positive) f.true_positive[0] = 0 / all.signal;
  if (f.thresholds) f.thresholds[0] = static_cast<double>(INFINITY);
  double area = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) area += m.areas[chunk];
  if (f.auc) *f.auc = area / (all.signal * all.background);
}

// A block for each wanted efficiency: the nearest point, the first of several. Only the ends of
// groups are points.
template <int threads>
UPS_KERNEL_LB(threads)
find_points(const int32_t* fault, Roc<float> f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, distances, [threads]);
  UPS_SHARED(int64_t, places, [threads]);
  const int32_t* const keys = m.sort.keys;
  const Kept all = *m.all;
  const double efficiency = f.efficiencies[blockIdx.x];
  double nearest = fabs(0 / all.signal - efficiency);
  int64_t best = 0;
  for (int64_t k = threadIdx.x; k < f.elements; k += threads) {
    if (k + 1 < f.elements && keys[k + 1] == keys[k]) continue;
    const double distance = fabs(m.before[k + 1].signal / all.signal - efficiency);
    if (!(distance < nearest)) continue;
    nearest = distance;
    best = k + 1;
  }
  distances[threadIdx.x] = nearest;
  places[threadIdx.x] = best;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int t = 1; t < threads; ++t) {
    if (!(distances[t] < nearest || (distances[t] == nearest && places[t] < best))) continue;
    nearest = distances[t];
    best = places[t];
  }
  if (f.rejection) f.rejection[blockIdx.x] = 1 / ((best == 0 ? 0 : m.before[best].background) / all.background);
  if (f.cut) f.cut[blockIdx.x] = static_cast<double>(best == 0 ? INFINITY : f.scores[m.sort.order[best - 1]]);
}

template <int threads>
UPS_KERNEL_LB(threads)
make_score_keys(const int32_t* fault, NumberKeys<float> key, int64_t count, int32_t* keys) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) keys[i] = key(i);
}

ups_status run(const Call& call) {
  const Roc<float> f(call);
  WorkspaceLayout workspace(call.workspace);
  Memory m(f, workspace);
  Launcher launch(call);
  const int64_t chunks = ceil_div(f.elements, chunk_elements);
  launch.elements(make_score_keys<block_threads>, f.elements, NumberKeys<float>{f.scores, true}, f.elements, m.keys);
  m.sort.run(launch, m.keys);
  launch.grid(sum_chunks<chunk_threads>, chunks, 1, chunk_threads, 0, f, m.sort.order, m.chunks,
              static_cast<Kept*>(nullptr));
  launch.grid(add_chunks<32>, 1, 1, 32, 0, chunks, f.elements, m.chunks, m.before, m.all);
  launch.grid(sum_chunks<chunk_threads>, chunks, 1, chunk_threads, 0, f, m.sort.order, m.chunks, m.before);
  launch.grid(draw_curve<chunk_threads>, chunks, 1, chunk_threads, 0, f, m);
  launch.grid(finish<32>, 1, 1, 32, 0, f, m, chunks);
  if (f.rejection || f.cut) launch.grid(find_points<block_threads>, f.wanted, 1, block_threads, 0, f, m);
  return launch.status();
}

UPS_CUDA_VARIANT(roc, RocCall, run, workspace_of<Roc<float>, Memory>)

}  // namespace
}  // namespace upsilon
