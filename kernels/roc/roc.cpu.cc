// Floor: memory. A radix sort of (key, index) pairs in three passes (float64: six), then two passes
// over the elements in the order of the scores, whose sums stand in that order and are one
// thread's. There is nothing for lanes here.
#include <limits>

#include "lib/segments/radix_sort.h"
#include "roc/roc.h"
#include "roc/roc_call.h"

#define UPS_SIMD_SOURCE "roc/roc.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int64_t chunk_elements = 1 << 14;

template <class T>
struct Plan {
  using Item = Keyed<KeyOf<T>>;
  const Roc<T>& f;
  Threads& threads;
  Item *items, *others;
  uint32_t* counts;
  double* nearest;  // by wanted efficiency, how far the best point is from it

  Plan(const Roc<T>& f_, Threads& threads_, WorkspaceLayout& workspace)
      : f(f_), threads(threads_), items(workspace.reserve<Item>(f.elements)),
        others(workspace.reserve<Item>(f.elements)), counts(workspace.reserve<uint32_t>(sort_counts(f.elements))),
        nearest(workspace.reserve<double>(f.wanted)) {}

  const Item* sort() {
    threads.run(ceil_div(f.elements, chunk_elements), [&](int64_t chunk, int32_t) {
      const int64_t end = std::min(f.elements, (chunk + 1) * chunk_elements);
      for (int64_t i = chunk * chunk_elements; i < end; ++i)
        items[i] = {static_cast<KeyOf<T>>(~key_of(f.scores[i])), static_cast<uint32_t>(i)};
    });
    return radix_sort(threads, items, others, f.elements, counts);
  }

  struct Kept {
    double signal = 0, background = 0;
    void add(const Roc<T>& f, uint32_t i) {
      const double weight = f.weights ? static_cast<double>(f.weights[i]) : 1.0;
      (f.labels[i] != 0 ? signal : background) += weight;
    }
  };

  void point(int64_t first, int64_t end, double false_positive, double true_positive, double threshold) {
    for (int64_t k = first; k < end; ++k) {
      if (f.false_positive) f.false_positive[k] = false_positive;
      if (f.true_positive) f.true_positive[k] = true_positive;
      if (f.thresholds) f.thresholds[k] = threshold;
    }
    for (int64_t e = 0; e < f.wanted; ++e) {
      const double distance = std::fabs(true_positive - f.efficiencies[e]);
      if (first != 0 && !(distance < nearest[e])) continue;
      nearest[e] = distance;
      if (f.rejection) f.rejection[e] = 1 / false_positive;
      if (f.cut) f.cut[e] = threshold;
    }
  }

  void run() {
    const Item* const sorted = sort();
    Kept all, kept;
    for (int64_t k = 0; k < f.elements; ++k) all.add(f, sorted[k].index);
    point(0, 1, 0 / all.background, 0 / all.signal, std::numeric_limits<double>::infinity());
    double area = 0;
    for (int64_t begin = 0, end = 0; begin < f.elements; begin = end) {
      const Kept before = kept;
      while (end < f.elements && sorted[end].key == sorted[begin].key) kept.add(f, sorted[end++].index);
      area += (kept.background - before.background) * (before.signal + kept.signal) / 2;
      point(begin + 1, end + 1, kept.background / all.background, kept.signal / all.signal,
            static_cast<double>(f.scores[sorted[begin].index]));
    }
    if (f.auc) *f.auc = area / (all.signal * all.background);
  }
};

template <class T>
ups_status run(const Call& call) {
  const Roc<T> f(call);
  WorkspaceLayout workspace(call.workspace);
  Plan<T>(f, *call.threads, workspace).run();
  return UPS_OK;
}

UPS_CPU_VARIANT(roc, RocCall, run<float>, workspace_of<Roc<float>, Plan<float>>)
UPS_CPU_VARIANT_F64(roc, RocCall, run<double>, workspace_of<Roc<double>, Plan<double>>)

UPS_SIMD_END
