#include "cuda/plugin/rules.h"

#include "core/data_rules.h"

namespace upsilon {
namespace {

constexpr int check_threads = 256;
constexpr int64_t max_check_blocks = 1024;  // of one rule; its elements are dealt to them in turns
constexpr int max_rules = 8;                // of one launch; an operation with more takes several

struct RuleBatch {
  DeviceRule rules[max_rules];
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

// Whether a rule is violated already. Other blocks may record meanwhile, so it is read atomically,
// by one lane of each warp.
UPS_ON_DEVICE bool has_fault(int32_t* fault) {
  return __any_sync(0xffffffffu, threadIdx.x % 32 == 0 && atomicAdd(fault, 0) != 0);
}

// Whether an element breaks a rule that can be told from it and the one before it; `data` is int32
// or the bits of float. Every rule of data_rules.h has a CheckOnDevice: with breaks(), or with
// launch(), where it takes a kernel of its own.
template <Rule rule>
struct CheckOnDevice;

template <>
struct CheckOnDevice<Rule::splits> {
  UPS_ON_DEVICE static bool breaks(const RuledElements& r, const int32_t* data, int64_t i) {
    return data[i] < (i > 0 ? data[i - 1] : 0) || (i == r.count - 1 && data[i] > r.bound);
  }
};
template <>
struct CheckOnDevice<Rule::below> {
  UPS_ON_DEVICE static bool breaks(const RuledElements& r, const int32_t* data, int64_t i) {
    return data[i] < 0 || data[i] >= r.bound;
  }
};
constexpr int32_t float_exponent = 0x7f800000;
template <>
struct CheckOnDevice<Rule::finite> {  // all bits of the exponent are set in infinities and NaN
  UPS_ON_DEVICE static bool breaks(const RuledElements&, const int32_t* data, int64_t i) {
    return (data[i] & float_exponent) == float_exponent;
  }
};
template <>
struct CheckOnDevice<Rule::numbers> {  // NaN is above infinity
  UPS_ON_DEVICE static bool breaks(const RuledElements&, const int32_t* data, int64_t i) {
    return (data[i] & INT32_MAX) > float_exponent;
  }
};

template <Rule rule>
concept TellsByElement = requires { CheckOnDevice<rule>::breaks(RuledElements{}, nullptr, 0); };

template <Rule rule, int threads>
UPS_ON_DEVICE bool any_breaks(const RuledElements& r) {
  bool bad = false;
  if constexpr (TellsByElement<rule>) {
    const auto* const data = static_cast<const int32_t*>(r.data);
    const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < r.count; i += step)
      bad |= CheckOnDevice<rule>::breaks(r, data, i);
  }
  return bad;
}

// One rule per blockIdx.y.
template <int threads>
UPS_KERNEL_LB(threads)
check_elements(RuleBatch batch, int32_t* fault) {
  const DeviceRule& rule = batch.rules[blockIdx.y];
  bool bad = false;
  switch (rule.rule) {
#define UPS_RULE_CASE(name, ...) \
  case Rule::name: bad = any_breaks<Rule::name, threads>(rule.ruled); break;
    UPS_DATA_RULES(UPS_RULE_CASE)
#undef UPS_RULE_CASE
    case Rule::none:
    case Rule::count: break;
  }
  if (bad) record(fault, rule.code);
}

// forest: one warp per event. Mothers must lie inside the event. A cycle has a lowest member, whose
// mother is above it, and a highest one, whose mother is below it: it is enough to start from the
// nodes of the rarer of the two kinds and to follow the mothers until a root, a node beyond the
// start, or the start itself is met. For nodes in the order mother-first or daughter-first there is
// nothing to follow.
constexpr int64_t glance = 256;  // steps after which a walk looks whether another one has found the fault

template <int threads>
UPS_KERNEL_LB(threads)
check_forest(RuledElements ruled, int32_t code, int32_t* fault) {
  if (has_fault(fault)) return;  // the boundaries cannot be trusted
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * (threads / 32);
  for (int64_t event = static_cast<int64_t>(blockIdx.x) * (threads / 32) + threadIdx.x / 32; event < ruled.events;
       event += warps) {
    const int32_t begin = ruled.offsets[event], size = ruled.offsets[event + 1] - begin;
    const int32_t* mother = static_cast<const int32_t*>(ruled.data) + begin;
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
    if (outside && lane == 0) record(fault, code);
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
      if (node == start || steps > size) record(fault, code);
    }
  }
}

// pairs: one block adds up the events' products; the parts meet in shared memory.
template <int threads>
UPS_KERNEL_LB(threads)
check_pairs(RuledElements ruled, int32_t code, int32_t* fault) {
  if (has_fault(fault)) return;  // the boundaries cannot be trusted
  UPS_SHARED(long long, parts, [threads]);
  const int thread = static_cast<int>(threadIdx.x);
  long long pairs = 0;
  for (int64_t event = thread; event < ruled.events; event += threads)
    pairs += static_cast<long long>(ruled.offsets[event + 1] - ruled.offsets[event]) *
             (ruled.others[event + 1] - ruled.others[event]);
  parts[thread] = pairs;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) parts[thread] += parts[thread + half];
  }
  if (thread != 0) return;
  pairs = parts[0];
  const bool holds = pairs == 0 || ruled.bound == 0 ? ruled.count == 0
                                                    : ruled.count % pairs == 0 && ruled.count / pairs == ruled.bound;
  if (!holds) record(fault, code);
}

// sorts: neighbours inside a set are ordered by key, equal keys by index, and are indices of the
// set.
template <int threads>
UPS_KERNEL_LB(threads)
check_sorts(RuledElements ruled, int32_t code, int32_t* fault) {
  if (has_fault(fault)) return;  // the boundaries cannot be trusted
  const int32_t *const offsets = ruled.offsets, *const order = static_cast<const int32_t*>(ruled.data);
  const float* const keys = static_cast<const float*>(ruled.keys);
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  bool bad = false;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < ruled.count; i += step) {
    if (i < offsets[0] || i >= offsets[ruled.events]) continue;
    int64_t set = 0, end = ruled.events;  // offsets[set] <= i < offsets[end]
    while (end - set > 1) {
      const int64_t middle = (set + end) / 2;
      if (offsets[middle] <= i) set = middle;
      else end = middle;
    }
    const int32_t first = offsets[set], last = offsets[set + 1] - 1, here = order[i];
    if (here < first || here > last) bad = true;
    else if (i > first) {
      const int32_t before = order[i - 1];
      if (before < first || before > last) bad = true;
      else bad |= !(keys[before] < keys[here] || (keys[before] == keys[here] && before < here));
    }
  }
  if (bad) record(fault, code);
}

unsigned blocks_for(int64_t elements, int64_t per_block) {
  const int64_t blocks = (elements + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < max_check_blocks ? blocks : max_check_blocks);
}

template <>
struct CheckOnDevice<Rule::forest> {
  static cudaError_t launch(cudaStream_t stream, const DeviceRule& rule, int32_t* fault) {
    if (rule.ruled.events <= 0) return cudaSuccess;
    return ups::launch(check_forest<check_threads>, blocks_for(rule.ruled.events, check_threads / 32), check_threads, 0,
                       stream, rule.ruled, rule.code, fault);
  }
};
template <>
struct CheckOnDevice<Rule::sorts> {
  static cudaError_t launch(cudaStream_t stream, const DeviceRule& rule, int32_t* fault) {
    if (rule.ruled.events <= 0 || rule.ruled.count == 0) return cudaSuccess;
    return ups::launch(check_sorts<check_threads>, blocks_for(rule.ruled.count, check_threads), check_threads, 0,
                       stream, rule.ruled, rule.code, fault);
  }
};
template <>
struct CheckOnDevice<Rule::pairs> {
  static cudaError_t launch(cudaStream_t stream, const DeviceRule& rule, int32_t* fault) {
    return ups::launch(check_pairs<check_threads>, 1, check_threads, 0, stream, rule.ruled, rule.code, fault);
  }
};

// The kernel of a rule; nothing where check_elements tells.
template <Rule rule>
cudaError_t launch_own(cudaStream_t stream, const DeviceRule& checked, int32_t* fault) {
  if constexpr (TellsByElement<rule>) return cudaSuccess;
  else return CheckOnDevice<rule>::launch(stream, checked, fault);
}

bool tells_by_element(Rule rule) {
  static constexpr bool tells[] = {false,
#define UPS_RULE_TELLS(name, ...) TellsByElement<Rule::name>,
                                   UPS_DATA_RULES(UPS_RULE_TELLS)
#undef UPS_RULE_TELLS
  };
  return tells[static_cast<int>(rule)];
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
    if (!tells_by_element(rules[i].rule) || rules[i].ruled.count == 0) continue;
    batch.rules[in_batch++] = rules[i];
    if (rules[i].ruled.count > longest) longest = rules[i].ruled.count;
    if (in_batch == max_rules) flush();
  }
  flush();
  // These trust boundaries, which have been checked by now.
  for (int32_t i = 0; i < count && error == cudaSuccess; ++i) switch (rules[i].rule) {
#define UPS_RULE_LAUNCH(name, ...) \
  case Rule::name: error = launch_own<Rule::name>(stream, rules[i], fault); break;
      UPS_DATA_RULES(UPS_RULE_LAUNCH)
#undef UPS_RULE_LAUNCH
      case Rule::none:
      case Rule::count: break;
    }
  return error;
}

}  // namespace upsilon
