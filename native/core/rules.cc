#include "rules.h"

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "text.h"

namespace upsilon {

namespace {

const int32_t* integers(const RuledElements& ruled) { return static_cast<const int32_t*>(ruled.data); }

}  // namespace

bool check_splits(const RuledElements& ruled, const OperandNames& names, std::string* problem) {
  const int32_t* const offsets = integers(ruled);
  const int64_t count = ruled.count, bound = ruled.bound;
  if (count == 0) return true;
  int32_t bad = offsets[0] < 0 || offsets[count - 1] > bound;
  for (int64_t i = 1; i < count; ++i) bad |= offsets[i] < offsets[i - 1];  // no early exit: this vectorises
  if (!bad) return true;
  if (offsets[0] < 0) {
    *problem = format("begins with %d (expected at least 0)", offsets[0]);
    return false;
  }
  for (int64_t i = 1; i < count; ++i)
    if (offsets[i] < offsets[i - 1]) {
      *problem =
          format("decreases from %d to %d at position %lld", offsets[i - 1], offsets[i], static_cast<long long>(i));
      return false;
    }
  *problem = format("ends with %d (expected at most %s = %lld)", offsets[count - 1], named(names.bound).c_str(),
                    static_cast<long long>(bound));
  return false;
}

bool check_below(const RuledElements& ruled, const OperandNames& names, std::string* problem) {
  const int32_t* const indices = integers(ruled);
  const int64_t count = ruled.count, bound = ruled.bound;
  const uint32_t limit = static_cast<uint32_t>(bound < INT32_MAX ? bound : int64_t{1} << 31);
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad |= static_cast<uint32_t>(indices[i]) >= limit;  // negatives become large
  if (!bad) return true;
  for (int64_t i = 0; i < count; ++i)
    if (static_cast<uint32_t>(indices[i]) >= limit) {
      *problem = format("has %d at position %lld (expected 0 <= index < %s = %lld)", indices[i],
                        static_cast<long long>(i), named(names.bound).c_str(), static_cast<long long>(bound));
      return false;
    }
  return true;
}

namespace {

// Follows mothers with three colours: 0 unseen, 1 on the present path, 2 known to end at a root.
bool has_cycle(const int32_t* mother, int32_t size, std::vector<uint8_t>& colour, int32_t* where) {
  colour.assign(static_cast<size_t>(size), 0);
  for (int32_t start = 0; start < size; ++start) {
    int32_t node = start;
    while (node >= 0 && colour[static_cast<size_t>(node)] == 0) {
      colour[static_cast<size_t>(node)] = 1;
      node = mother[node];
    }
    if (node >= 0 && colour[static_cast<size_t>(node)] == 1) {
      *where = node;
      return true;
    }
    for (node = start; node >= 0 && colour[static_cast<size_t>(node)] == 1; node = mother[node])
      colour[static_cast<size_t>(node)] = 2;
  }
  return false;
}

}  // namespace

bool check_forest(const RuledElements& ruled, const OperandNames&, std::string* problem) {
  const int32_t* const mother = integers(ruled);
  const int32_t* const offsets = ruled.offsets;
  const int64_t events = ruled.events;
  std::vector<uint8_t> colour;
  for (int64_t event = 0; event < events; ++event) {
    const int32_t begin = offsets[event], size = offsets[event + 1] - begin;
    bool ordered = true;  // a mother before each daughter cannot make a cycle
    for (int32_t i = 0; i < size; ++i) {
      const int32_t m = mother[begin + i];
      if (m < -1 || m >= size) {
        *problem = format("has %d at position %d (expected -1 or an index below %d, the size of event %lld)", m,
                          begin + i, size, static_cast<long long>(event));
        return false;
      }
      ordered &= m < i;
    }
    int32_t where = 0;
    if (!ordered && has_cycle(mother + begin, size, colour, &where)) {
      *problem = format("makes a cycle through node %d of event %lld", where, static_cast<long long>(event));
      return false;
    }
  }
  return true;
}

bool check_pairs(const RuledElements& ruled, const OperandNames&, std::string* problem) {
  const int64_t count = ruled.count, times = ruled.bound, events = ruled.events;
  const int32_t *const offsets = ruled.offsets, *const others = ruled.others;
  int64_t pairs = 0;  // below 2^31 times 2^31
  for (int64_t event = 0; event < events; ++event)
    pairs += int64_t{offsets[event + 1] - offsets[event]} * (others[event + 1] - others[event]);
  if (pairs == 0 || times == 0 ? count == 0 : count % pairs == 0 && count / pairs == times) return true;
  *problem = format("has %lld elements but the events have %lld pairs (expected %lld for each)",
                    static_cast<long long>(count), static_cast<long long>(pairs), static_cast<long long>(times));
  return false;
}

namespace {

template <class T>
bool are_finite(const T* numbers, int64_t count, std::string* problem) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  const Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());  // all set: infinite or NaN
  Bits bad = 0;
  for (int64_t i = 0; i < count; ++i) bad |= (std::bit_cast<Bits>(numbers[i]) & exponent) == exponent;
  if (!bad) return true;
  for (int64_t i = 0; i < count; ++i)
    if (!std::isfinite(numbers[i])) {
      *problem = format("has %s at position %lld (expected finite numbers)", number_text(numbers[i]).c_str(),
                        static_cast<long long>(i));
      return false;
    }
  return true;
}

template <class T>
bool are_numbers(const T* numbers, int64_t count, std::string* problem) {
  int32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad |= numbers[i] != numbers[i];
  if (!bad) return true;
  int64_t at = 0;
  while (numbers[at] == numbers[at]) ++at;
  *problem = format("has NaN at position %lld (expected numbers)", static_cast<long long>(at));
  return false;
}

template <class T>
bool are_sorted(const RuledElements& ruled, const char* keys_name, std::string* problem) {
  const int32_t *const order = integers(ruled), *const offsets = ruled.offsets;
  const T* const keys = static_cast<const T*>(ruled.keys);
  const int64_t sets = ruled.events;
  for (int64_t set = 0; set < sets; ++set)
    for (int32_t i = offsets[set]; i < offsets[set + 1]; ++i) {
      const int32_t here = order[i];
      if (here < offsets[set] || here >= offsets[set + 1]) {
        *problem = format("has %d at position %d (expected an index of set %lld, %d to %d)", here, i,
                          static_cast<long long>(set), offsets[set], offsets[set + 1] - 1);
        return false;
      }
      if (i == offsets[set]) continue;
      const int32_t before = order[i - 1];
      if (keys[before] < keys[here] || (keys[before] == keys[here] && before < here)) continue;
      *problem = format("has %d before %d at position %d (expected the stable order of %s)", before, here, i,
                        named(keys_name).c_str());
      return false;
    }
  return true;
}

}  // namespace

bool check_finite(const RuledElements& ruled, const OperandNames&, std::string* problem) {
  return ruled.is_double ? are_finite(static_cast<const double*>(ruled.data), ruled.count, problem)
                         : are_finite(static_cast<const float*>(ruled.data), ruled.count, problem);
}

bool check_numbers(const RuledElements& ruled, const OperandNames&, std::string* problem) {
  return ruled.is_double ? are_numbers(static_cast<const double*>(ruled.data), ruled.count, problem)
                         : are_numbers(static_cast<const float*>(ruled.data), ruled.count, problem);
}

bool check_sorts(const RuledElements& ruled, const OperandNames& names, std::string* problem) {
  return ruled.is_double ? are_sorted<double>(ruled, names.keys, problem)
                         : are_sorted<float>(ruled, names.keys, problem);
}

bool check_rule(Rule rule, const RuledElements& ruled, const OperandNames& names, std::string* problem) {
  static constexpr RuleCheck checks[] = {nullptr,
#define UPS_RULE_CHECK(name, ...) check_##name,
                                         UPS_DATA_RULES(UPS_RULE_CHECK)
#undef UPS_RULE_CHECK
  };
  return rule == Rule::none || checks[static_cast<int>(rule)](ruled, names, problem);
}

}  // namespace upsilon
