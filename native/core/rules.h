// The data rules on the host (data_rules.h). A kernel that runs afterwards need not look again.
#pragma once
#include <string>

#include "data_rules.h"

namespace upsilon {

// How the operands of a rule are called in messages.
struct OperandNames {
  const char *bound = "", *keys = "";
};

// Each returns true when the rule holds; otherwise `problem` says what was found where.
using RuleCheck = bool (*)(const RuledElements&, const OperandNames&, std::string* problem);
// Offsets: never decreasing, the first at least 0, the last at most the bound.
bool check_splits(const RuledElements& ruled, const OperandNames& names, std::string* problem);
// Indices: at least 0, below the bound.
bool check_below(const RuledElements& ruled, const OperandNames& names, std::string* problem);
// mother[i] is an index inside i's event or -1; following mothers always ends. Linear time.
bool check_forest(const RuledElements& ruled, const OperandNames& names, std::string* problem);
// No NaN, no infinity.
bool check_finite(const RuledElements& ruled, const OperandNames& names, std::string* problem);
// No NaN.
bool check_numbers(const RuledElements& ruled, const OperandNames& names, std::string* problem);
// Within each set, the indices of the set in the order of a stable sort of its keys. As every pair
// of neighbours is in order, no index can come twice.
bool check_sorts(const RuledElements& ruled, const OperandNames& names, std::string* problem);
// As many elements as `bound` times the pairs: the sum over the events of (elements of one side)
// (elements of the other).
bool check_pairs(const RuledElements& ruled, const OperandNames& names, std::string* problem);

bool check_rule(Rule rule, const RuledElements& ruled, const OperandNames& names, std::string* problem);

}  // namespace upsilon
