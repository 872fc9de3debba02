#include "rule_inputs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace upsilon::conformance {
namespace {

// ---- elements that keep a rule ------------------------------------------------------------------
void fill_real(HostTensor& t, const Hint& hint, Random& random) {
  double momentum2 = 0;
  for (int64_t i = 0; i < t.count(); ++i) {
    double value = random.normal();
    if (hint.values == "positive") value = std::fabs(value) + 0.1;
    else if (hint.values == "integers") value = static_cast<double>(random.below(5) - 2);
    else if (hint.values == "fractions") value = 0.01 + 0.98 * random.uniform();
    else if (hint.values == "zero") value = 0;
    else if (hint.values == "increasing")
      value = i == 0 ? -2 : t.value(i - 1) / hint.scale + 0.1 + 0.5 * random.uniform();
    else if (hint.values == "even")
      value = 8.0 * static_cast<double>(i) / static_cast<double>(std::max<int64_t>(t.count() - 1, 1)) - 4;
    else if (hint.values == "forbidden") value = random.below(4) == 0 ? INFINITY : value;
    else if (hint.values == "masks") value = random.below(3) == 0 ? -INFINITY : value;
    else if (hint.values == "nan") {
      const int64_t kind = random.below(24);
      if (kind == 0) value = std::nan("");
      if (kind == 1) value = INFINITY;
      if (kind == 2) value = -INFINITY;
    } else if (hint.values == "momenta") {
      if (i % 4 == 0) momentum2 = 0.01;
      if (i % 4 == 3) value = std::sqrt(momentum2);
      else momentum2 += value * value;
    } else if (!hint.values.empty() && hint.values != "normal") {
      throw std::runtime_error("real values cannot be " + hint.values);
    }
    t.set(i, value * hint.scale);
  }
}

// Where no rule is about the elements themselves. Those of `finite` and `numbers` are what their
// hints say, and `pairs` is about their number.
void fill_freely(HostTensor& t, const RuleInputs& in) {
  if (t.is_float()) return fill_real(t, in.hint, in.random);
  for (int64_t i = 0; i < t.count(); ++i) t.set(i, static_cast<double>(in.random.below(in.hint.below)));
}
void fill_finite(HostTensor& t, const RuleInputs& in) { fill_freely(t, in); }
void fill_numbers(HostTensor& t, const RuleInputs& in) { fill_freely(t, in); }
void fill_pairs(HostTensor& t, const RuleInputs& in) { fill_freely(t, in); }

void fill_splits(HostTensor& t, const RuleInputs& in) {
  const Hint& hint = in.hint;
  Random& random = in.random;
  const int64_t bound = in.bound;
  const int64_t sets = t.count() - 1;
  if (sets < 0) throw std::runtime_error("offsets need at least one element");
  std::vector<int64_t> cuts(static_cast<size_t>(sets + 1));
  if (hint.values.empty() || hint.values == "uniform" || hint.values == "gaps") {
    const int64_t gap = hint.values == "gaps" ? std::min<int64_t>(bound / 3, 3) : 0;
    for (int64_t& cut : cuts) cut = gap + random.below(bound - 2 * gap + 1);
    std::sort(cuts.begin(), cuts.end());
    cuts.front() = gap;
    if (sets > 0) cuts.back() = bound - gap;
  } else if (hint.values == "empty") {
    std::fill(cuts.begin(), cuts.end(), random.below(bound + 1));
  } else if (hint.values == "one") {
    const int64_t where = random.below(std::max<int64_t>(sets, 1));
    for (int64_t s = 0; s <= sets; ++s) cuts[static_cast<size_t>(s)] = s <= where ? 0 : bound;
  } else if (hint.values == "even") {
    for (int64_t s = 0; s <= sets; ++s) cuts[static_cast<size_t>(s)] = sets > 0 ? s * bound / sets : 0;
  } else {
    throw std::runtime_error("offsets cannot be " + hint.values);
  }
  for (int64_t s = 0; s <= sets; ++s) t.set(s, static_cast<double>(cuts[static_cast<size_t>(s)]));
}

void fill_below(HostTensor& t, const RuleInputs& in) {
  const Hint& hint = in.hint;
  Random& random = in.random;
  const int64_t bound = in.bound;
  const HostTensor *const rows = in.rows, *const equal_to = in.equal_to;
  if (t.count() > 0 && bound < 1) throw std::runtime_error("there is nothing for an index to point at");
  const bool same = hint.values == "same";
  if (!same && !hint.values.empty() && hint.values != "uniform")
    throw std::runtime_error("indices cannot be " + hint.values);
  const int64_t constant = bound / 2;
  int64_t row = 0;
  for (int64_t i = 0; i < t.count(); ++i) {
    int64_t index = same ? constant : random.below(bound);
    if (rows) {
      while (row + 2 < rows->count() && rows->value(row + 1) <= static_cast<double>(i)) ++row;
      const int64_t block = hint.blocks ? row / hint.blocks * hint.blocks : 0;
      if (hint.blocks) index = std::min(block + random.below(hint.blocks), bound - 1);
      if (random.uniform() < hint.duplicates && i > 0 && rows->value(row) < static_cast<double>(i))
        index = static_cast<int64_t>(t.value(i - 1));
      if (random.uniform() < hint.self_loops && row < bound) index = row;
    }
    if (equal_to && random.uniform() < hint.fraction) index = static_cast<int64_t>(equal_to->value(i));
    t.set(i, static_cast<double>(index));
  }
}

void fill_forest(HostTensor& t, const RuleInputs& in) {
  const Hint& hint = in.hint;
  Random& random = in.random;
  const HostTensor& offsets = *in.offsets;
  for (int64_t i = 0; i < t.count(); ++i) t.set(i, -1);  // rows outside every event
  for (int64_t event = 0; event + 1 < offsets.count(); ++event) {
    const auto begin = static_cast<int64_t>(offsets.value(event));
    const int64_t size = static_cast<int64_t>(offsets.value(event + 1)) - begin;
    std::vector<int64_t> place(static_cast<size_t>(size));
    std::iota(place.begin(), place.end(), 0);
    if (hint.values == "shuffled")
      for (int64_t i = size - 1; i > 0; --i)
        std::swap(place[static_cast<size_t>(i)], place[static_cast<size_t>(random.below(i + 1))]);
    for (int64_t i = 0; i < size; ++i) {
      int64_t mother = i == 0 || random.uniform() < 0.08 ? -1 : std::max<int64_t>(0, i - 1 - random.below(6));
      if (hint.values == "roots") mother = -1;
      else if (hint.values == "chain") mother = i - 1;
      else if (hint.values == "star") mother = i == 0 ? -1 : 0;
      else if (!hint.values.empty() && hint.values != "ordered" && hint.values != "shuffled")
        throw std::runtime_error("a forest cannot be " + hint.values);
      t.set(begin + place[static_cast<size_t>(i)],
            static_cast<double>(mother < 0 ? -1 : place[static_cast<size_t>(mother)]));
    }
  }
}

void fill_sorts(HostTensor& t, const RuleInputs& in) {
  const HostTensor &keys = *in.keys, &offsets = *in.offsets;
  std::vector<int64_t> order(static_cast<size_t>(t.count()));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t set = 0; set + 1 < offsets.count(); ++set)
    std::stable_sort(order.begin() + static_cast<int64_t>(offsets.value(set)),
                     order.begin() + static_cast<int64_t>(offsets.value(set + 1)),
                     [&](int64_t a, int64_t b) { return keys.value(a) < keys.value(b); });
  for (int64_t i = 0; i < t.count(); ++i) t.set(i, static_cast<double>(order[static_cast<size_t>(i)]));
}

// ---- one change that breaks it ------------------------------------------------------------------
// False where there is nothing to break, as there are too few elements.
bool break_splits(HostTensor& t, const RuleInputs& in) {
  if (t.count() == 0) return false;
  const int64_t at = in.random.below(t.count());
  if (at == 0) t.set(0, -1);
  else if (at == t.count() - 1) t.set(at, static_cast<double>(in.bound + 1));
  else t.set(at, t.value(at - 1) - 1);
  return true;
}

bool break_below(HostTensor& t, const RuleInputs& in) {
  if (t.count() == 0) return false;
  t.set(in.random.below(t.count()), in.random.below(2) ? -1 : static_cast<double>(in.bound));
  return true;
}

// The first node of an event with two nodes or more, which becomes the mother of its mother, or
// lies outside.
bool break_forest(HostTensor& t, const RuleInputs& in) {
  const HostTensor& offsets = *in.offsets;
  for (int64_t event = 0; event + 1 < offsets.count(); ++event) {
    const auto begin = static_cast<int64_t>(offsets.value(event)), end = static_cast<int64_t>(offsets.value(event + 1));
    if (end - begin < 2) continue;
    if (in.random.below(2)) {
      t.set(begin, static_cast<double>(end - begin));
    } else {
      t.set(begin, 1);
      t.set(begin + 1, 0);
    }
    return true;
  }
  return false;
}

bool break_finite(HostTensor& t, const RuleInputs& in) {
  if (t.count() == 0) return false;
  const double broken[] = {INFINITY, -INFINITY, std::nan("")};
  t.set(in.random.below(t.count()), broken[in.random.below(3)]);
  return true;
}

bool break_numbers(HostTensor& t, const RuleInputs& in) {
  if (t.count() == 0) return false;
  t.set(in.random.below(t.count()), std::nan(""));
  return true;
}

// Two neighbours of a set change places.
bool break_sorts(HostTensor& t, const RuleInputs& in) {
  const HostTensor& offsets = *in.offsets;
  for (int64_t set = 0; set + 1 < offsets.count(); ++set) {
    const auto begin = static_cast<int64_t>(offsets.value(set));
    if (offsets.value(set + 1) - offsets.value(set) < 2) continue;
    const double first = t.value(begin);
    t.set(begin, t.value(begin + 1));
    t.set(begin + 1, first);
    return true;
  }
  return false;
}

bool break_pairs(HostTensor& t, const RuleInputs&) {
  t = HostTensor(t.dtype, {t.count() + 1});
  return true;
}

}  // namespace

void fill_by_rule(Rule rule, HostTensor& t, const RuleInputs& in) {
  switch (rule) {
#define UPS_RULE_FILL(name, ...) \
  case Rule::name: return fill_##name(t, in);
    UPS_DATA_RULES(UPS_RULE_FILL)
#undef UPS_RULE_FILL
    case Rule::none:
    case Rule::count: return fill_freely(t, in);
  }
}

bool break_rule(Rule rule, HostTensor& t, const RuleInputs& in) {
  switch (rule) {
#define UPS_RULE_BREAK(name, ...) \
  case Rule::name: return break_##name(t, in);
    UPS_DATA_RULES(UPS_RULE_BREAK)
#undef UPS_RULE_BREAK
    case Rule::none:
    case Rule::count: break;
  }
  return false;
}

}  // namespace upsilon::conformance
