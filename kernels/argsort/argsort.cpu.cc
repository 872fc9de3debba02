// Floor: memory. A radix sort of (key, index) pairs, 11 bits a pass: three passes for 32-bit keys,
// six for 64-bit ones, each reading pairs twice and writing them once; passes in which all keys
// agree are left out. There is nothing for lanes here.
#include "argsort/argsort.h"
#include "argsort/argsort_call.h"
#include "lib/segments/radix_sort.h"

#define UPS_SIMD_SOURCE "argsort/argsort.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int64_t large_set = 1 << 16;  // from here on a set has all threads
constexpr int64_t chunk_elements = 1 << 14;

template <class T>
KeyOf<T> sort_key(T number) {
  if constexpr (std::is_integral_v<T>) return static_cast<uint32_t>(number) ^ 0x80000000u;
  else return key_of(number);
}

template <class T>
struct Plan {
  using Item = Keyed<KeyOf<T>>;
  const Argsort<T>& f;
  Threads& threads;
  Item *items, *others;
  uint32_t *counts, *worker_counts;

  Plan(const Argsort<T>& f_, Threads& threads_, WorkspaceLayout& workspace)
      : f(f_), threads(threads_), items(workspace.reserve<Item>(f.elements)),
        others(workspace.reserve<Item>(f.elements)), counts(workspace.reserve<uint32_t>(sort_counts(f.elements))),
        worker_counts(workspace.reserve<uint32_t>(threads.count() * sort_digits)) {}

  void sort(Threads& set_threads, int64_t set, uint32_t* digit_counts) {
    const int64_t first = f.offsets[set], count = f.offsets[set + 1] - first;
    const auto each = [&](auto body) {
      set_threads.run(ceil_div(count, chunk_elements), [&](int64_t chunk, int32_t) {
        const int64_t end = std::min(count, (chunk + 1) * chunk_elements);
        for (int64_t i = chunk * chunk_elements; i < end; ++i) body(i);
      });
    };
    each([&](int64_t i) {
      const KeyOf<T> key = sort_key(f.keys[first + i]);
      items[first + i] = {f.descending ? static_cast<KeyOf<T>>(~key) : key, static_cast<uint32_t>(first + i)};
    });
    const Item* const sorted = radix_sort(set_threads, items + first, others + first, count, digit_counts);
    each([&](int64_t i) { f.order[first + i] = static_cast<int32_t>(sorted[i].index); });
  }

  void run() {
    const int64_t begin = f.sets > 0 ? f.offsets[0] : f.elements, end = f.sets > 0 ? f.offsets[f.sets] : f.elements;
    for (int64_t i = 0; i < begin; ++i) f.order[i] = static_cast<int32_t>(i);
    for (int64_t i = end; i < f.elements; ++i) f.order[i] = static_cast<int32_t>(i);
    const auto is_large = [&](int64_t set) { return f.offsets[set + 1] - f.offsets[set] >= large_set; };
    threads.run(f.sets, [&](int64_t set, int32_t worker) {
      Threads alone(1);
      if (!is_large(set)) sort(alone, set, worker_counts + worker * sort_digits);
    });
    for (int64_t set = 0; set < f.sets; ++set)
      if (is_large(set)) sort(threads, set, counts);
  }
};

template <class T>
ups_status run(const Call& call) {
  const Argsort<T> f(call);
  scratch_of<Plan<T>>(call, f).run();
  return UPS_OK;
}

UPS_CPU_VARIANT(reals, ArgsortCall, run<float>, workspace_of<Argsort<float>, Plan<float>>)
UPS_CPU_VARIANT_F64(reals, ArgsortCall, run<double>, workspace_of<Argsort<double>, Plan<double>>)
UPS_CPU_VARIANT(integers, ArgsortIntegersCall, run<int32_t>, workspace_of<Argsort<int32_t>, Plan<int32_t>>)

UPS_SIMD_END
