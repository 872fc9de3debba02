// The rules that a schema can put on the elements of an argument, one row each.
//
// The row is all that the schema's parser, the gate, the bindings and the messages need to know.
// The code of a rule is found by the row's name, and a row without it does not compile:
//   check_<name>                  core/rules.cc                on the host
//   CheckOnDevice<Rule::<name>>   cuda/plugin/rules.cu         on devices
//   fill_<name>, break_<name>     conformance/rule_inputs.cc   elements that keep the rule, and
//                                                              that break it, for tests
#pragma once
#include <cstdint>

#include "upsilon/upsilon.h"

namespace upsilon {

enum class RuledType : int8_t { i32, real, any };  // the element types that a rule is for

// ROW(name, operands, type, status, broken)
//   operands   what follows the name in a schema, separated by spaces: `dim` a dimension,
//              `offsets`, `others` and `keys` arguments; anything else stands for itself
//   status     of a call that breaks the rule; UPS_SHAPE where the rule is about the number of
//              elements, outputs included
//   broken     what is wrong, as devices say it, which do not know where
#define UPS_DATA_RULES(ROW)                                                            \
  ROW(splits, "dim", i32, UPS_VALUE, "has offsets that decrease or are out of range")  \
  ROW(below, "dim", i32, UPS_VALUE, "has an index that is out of range")               \
  ROW(forest, "offsets", i32, UPS_VALUE, "has a mother outside its event, or a cycle") \
  ROW(finite, "", real, UPS_VALUE, "has numbers that are not finite")                  \
  ROW(numbers, "", real, UPS_VALUE, "has NaN")                                         \
  ROW(sorts, "keys by offsets", i32, UPS_VALUE, "is not the stable order of its keys") \
  ROW(pairs, "dim offsets others", any, UPS_SHAPE, "does not have as many elements as the events have pairs")

enum class Rule : int8_t {
  none,
#define UPS_RULE_NAME(name, operands, type, status, broken) name,
  UPS_DATA_RULES(UPS_RULE_NAME)
#undef UPS_RULE_NAME
      count
};

struct DataRule {
  const char* name;
  const char* operands;
  RuledType type;
  ups_status status;
  const char* broken;
};
inline constexpr DataRule data_rules[] = {{"", "", RuledType::any, UPS_OK, ""},
#define UPS_RULE_ROW(name, operands, type, status, broken) {#name, operands, RuledType::type, status, broken},
                                          UPS_DATA_RULES(UPS_RULE_ROW)
#undef UPS_RULE_ROW
};
constexpr const DataRule& row_of(Rule rule) { return data_rules[static_cast<int>(rule)]; }

// The elements under a rule, and what the rule's operands are in this call. Plain data: it crosses
// into plug-ins.
struct RuledElements {
  const void* data;
  int64_t count;
  int64_t bound;  // the dimension
  const int32_t* offsets;  // boundaries of events: they have passed `splits`
  const int32_t* others;  // those of the other side
  int64_t events;
  const void* keys;
  int32_t is_double;  // whether real elements, and keys, are double
};

}  // namespace upsilon
