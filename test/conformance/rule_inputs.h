// Elements that keep the data rules (core/data_rules.h), and elements that break them.
#pragma once
#include "cases.h"
#include "host_tensor.h"

namespace upsilon::conformance {

// How elements are made: the case's hint, and the operands of the rule.
struct RuleInputs {
  const Hint& hint;
  Random& random;
  int64_t bound = 0;
  const HostTensor *offsets = nullptr, *keys = nullptr;
  const HostTensor *rows = nullptr, *equal_to = nullptr;  // of the hint
};

void fill_by_rule(Rule rule, HostTensor& t, const RuleInputs& in);
// Changes what keeps the rule so that it is broken; false where there are too few elements.
bool break_rule(Rule rule, HostTensor& t, const RuleInputs& in);

}  // namespace upsilon::conformance
