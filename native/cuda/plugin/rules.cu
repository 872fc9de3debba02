#include "cuda/plugin/rules.h"

#include "core/schema.h"

namespace upsilon {
namespace {

constexpr int check_threads = 256;
constexpr int64_t most_check_blocks = 1024;  // of one rule; its elements are dealt to them in turns
constexpr int most_rules = 8;                // of one launch; an operation with more takes several

struct RuleBatch {
  DeviceRule rules[most_rules];
};

// The lowest code of one operation wins, whichever thread comes first.
UPS_ON_DEVICE void record(int32_t* fault, int32_t code) {
  int32_t seen = atomicCAS(fault, 0, code);
  while (seen != 0 && seen >> 8 == code >> 8 && code < seen) {
    const int32_t before = atomicCAS(fault, seen, code);
    if (before == seen) return;
    seen = before;
  }
}

// splits: non-decreasing, first >= 0, last <= bound. below: 0 <= every element < bound. finite: the exponent of a float
// that is not has all its bits set; numbers: those of a NaN are above infinity's. One rule per blockIdx.y.
constexpr int32_t float_exponent = 0x7f800000;

template <int threads>
UPS_KERNEL_LB(threads)
check_elements(RuleBatch batch, int32_t* fault) {
  const DeviceRule rule = batch.rules[blockIdx.y];
  const bool splits = rule.rule == static_cast<int32_t>(Rule::splits);
  const bool finite = rule.rule == static_cast<int32_t>(Rule::finite);
  const bool numbers = rule.rule == static_cast<int32_t>(Rule::numbers);
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  bool bad = false;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < rule.count; i += step) {
    const int32_t value = rule.data[i];
    if (splits) bad |= value < (i > 0 ? rule.data[i - 1] : 0) || (i == rule.count - 1 && value > rule.bound);
    else if (finite) bad |= (value & float_exponent) == float_exponent;
    else if (numbers) bad |= (value & INT32_MAX) > float_exponent;
    else bad |= value < 0 || value >= rule.bound;
  }
  if (bad) record(fault, rule.code);
}

// forest: one warp per event. Mothers must lie inside the event. A cycle has a lowest member, whose mother is above
// it, and a highest one, whose mother is below it: it is enough to start from the nodes of the rarer of the two kinds
// and to follow the mothers until a root, a node beyond the start, or the start itself is met. For nodes in the order
// mother-first or daughter-first there is nothing to follow.
constexpr int64_t glance = 256;  // steps after which a walk looks whether another one has found the fault

template <int threads>
UPS_KERNEL_LB(threads)
check_forest(DeviceRule rule, int32_t* fault) {
  if (*fault != 0) return;  // the boundaries cannot be trusted
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * (threads / 32);
  for (int64_t event = static_cast<int64_t>(blockIdx.x) * (threads / 32) + threadIdx.x / 32; event < rule.events;
       event += warps) {
    const int32_t begin = rule.offsets[event], size = rule.offsets[event + 1] - begin;
    const int32_t* mother = rule.data + begin;
    int outside = 0, upwards = 0, downwards = 0;
    for (int32_t node = lane; node < size; node += 32) {
      const int32_t m = mother[node];
      outside |= m < -1 || m >= size || m == node;
      upwards += m > node;
      downwards += m >= 0 && m < node;
    }
    outside = __any_sync(0xffffffffu, outside);
    upwards = __reduce_add_sync(0xffffffffu, upwards);
    downwards = __reduce_add_sync(0xffffffffu, downwards);
    if (outside && lane == 0) record(fault, rule.code);
    if (outside) continue;
    const bool from_lowest = upwards <= downwards;
    for (int32_t start = lane; start < size; start += 32) {
      int32_t node = mother[start];
      if (from_lowest ? node < start : node > start || node < 0) continue;
      int64_t steps = 1;
      for (; node >= 0 && node != start && (from_lowest ? node > start : node < start) && steps <= size; ++steps) {
        node = mother[node];
        if (steps % glance == 0 && atomicAdd(fault, 0) != 0) break;
      }
      if (node == start || steps > size) record(fault, rule.code);
    }
  }
}

// pairs: one block adds up the events' products; the parts meet in shared memory.
template <int threads>
UPS_KERNEL_LB(threads)
check_pairs(DeviceRule rule, int32_t* fault) {
  if (*fault != 0) return;  // the boundaries cannot be trusted
  UPS_SHARED(long long, parts, [threads]);
  const int thread = static_cast<int>(threadIdx.x);
  long long pairs = 0;
  for (int64_t event = thread; event < rule.events; event += threads)
    pairs += static_cast<long long>(rule.offsets[event + 1] - rule.offsets[event]) *
             (rule.others[event + 1] - rule.others[event]);
  parts[thread] = pairs;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) parts[thread] += parts[thread + half];
  }
  if (thread != 0) return;
  pairs = parts[0];
  const bool holds =
      pairs == 0 || rule.bound == 0 ? rule.count == 0 : rule.count % pairs == 0 && rule.count / pairs == rule.bound;
  if (!holds) record(fault, rule.code);
}

// sorts: neighbours inside a set are ordered by key, equal keys by index, and are indices of the set.
template <int threads>
UPS_KERNEL_LB(threads)
check_sorts(DeviceRule rule, int32_t* fault) {
  if (*fault != 0) return;  // the boundaries cannot be trusted
  const int32_t* const offsets = rule.offsets;
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  bool bad = false;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < rule.count; i += step) {
    if (i < offsets[0] || i >= offsets[rule.events]) continue;
    int64_t set = 0, end = rule.events;  // offsets[set] <= i < offsets[end]
    while (end - set > 1) {
      const int64_t middle = (set + end) / 2;
      if (offsets[middle] <= i) set = middle;
      else end = middle;
    }
    const int32_t first = offsets[set], last = offsets[set + 1] - 1, here = rule.data[i];
    if (here < first || here > last) bad = true;
    else if (i > first) {
      const int32_t before = rule.data[i - 1];
      if (before < first || before > last) bad = true;
      else bad |= !(rule.keys[before] < rule.keys[here] || (rule.keys[before] == rule.keys[here] && before < here));
    }
  }
  if (bad) record(fault, rule.code);
}

unsigned blocks_for(int64_t elements, int64_t per_block) {
  const int64_t blocks = (elements + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < most_check_blocks ? blocks : most_check_blocks);
}

bool is(const DeviceRule& rule, Rule kind) { return rule.rule == static_cast<int32_t>(kind); }
bool about_events(const DeviceRule& rule) {
  return is(rule, Rule::forest) || is(rule, Rule::sorts) || is(rule, Rule::pairs);
}

}  // namespace

cudaError_t launch_rule_checks(cudaStream_t stream, const DeviceRule* rules, int32_t count, int32_t* fault) {
  RuleBatch batch;
  unsigned in_batch = 0;
  int64_t longest = 0;
  cudaError_t error = cudaSuccess;
  const auto flush = [&] {
    if (in_batch > 0 && error == cudaSuccess)
      error = ups::launch(check_elements<check_threads>, dim3(blocks_for(longest, check_threads), in_batch),
                          check_threads, 0, stream, batch, fault);
    in_batch = 0;
    longest = 0;
  };
  for (int32_t i = 0; i < count; ++i) {
    if (about_events(rules[i]) || rules[i].count == 0) continue;
    batch.rules[in_batch++] = rules[i];
    if (rules[i].count > longest) longest = rules[i].count;
    if (in_batch == most_rules) flush();
  }
  flush();
  for (int32_t i = 0; i < count && error == cudaSuccess; ++i) {
    if (is(rules[i], Rule::pairs))
      error = ups::launch(check_pairs<check_threads>, 1, check_threads, 0, stream, rules[i], fault);
    if (rules[i].events <= 0) continue;
    if (is(rules[i], Rule::forest))
      error = ups::launch(check_forest<check_threads>, blocks_for(rules[i].events, check_threads / 32), check_threads,
                          0, stream, rules[i], fault);
    if (is(rules[i], Rule::sorts) && rules[i].count > 0)
      error = ups::launch(check_sorts<check_threads>, blocks_for(rules[i].count, check_threads), check_threads, 0,
                          stream, rules[i], fault);
  }
  return error;
}

}  // namespace upsilon
