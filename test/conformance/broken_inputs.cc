#include "broken_inputs.h"

#include "rule_inputs.h"

namespace upsilon::conformance {
namespace {

// The value of a dimension name, from an argument that has it; -1 where none has.
int64_t value_of(int name, const Schema& schema, const Arguments& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Parameter& p = schema.parameters[i];
    if (!arguments[i] || p.leading) continue;
    for (size_t d = 0; d < p.dims.size(); ++d)
      if (p.dims[d].is_single() && p.dims[d].names[0] == name) return arguments[i]->shape[d] - p.dims[d].constant;
  }
  return -1;
}

}  // namespace

std::string check_broken_inputs(ups_context* context, ups_device device, const ups_operation& operation, const Case& c,
                                const Arguments& arguments, const void* options, const char* variant) {
  const Schema& schema = operation.schema;
  Random random(c.seed);
  const Hint hint;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Parameter& p = schema.parameters[i];
    if (p.rule == Rule::none || !arguments[i] || p.output) continue;
    const auto operand = [&](int parameter) -> const HostTensor* {
      return parameter >= 0 ? &*arguments[static_cast<size_t>(parameter)] : nullptr;
    };
    RuleInputs in{hint, random};
    in.bound = p.rule_dim >= 0 ? value_of(p.rule_dim, schema, arguments) : 0;
    if (in.bound < 0) continue;
    in.offsets = operand(p.rule_offsets);
    in.keys = operand(p.rule_keys);
    Arguments broken = arguments;
    if (!break_rule(p.rule, *broken[i], in)) continue;
    const Outcome outcome = invoke(context, device, operation, broken, options, {}, variant);
    if (outcome.status == UPS_UNSUPPORTED) continue;
    const DataRule& rule = row_of(p.rule);
    const std::string who = std::string("broken ") + p.name + " (rule " + rule.name + "): ";
    if (outcome.status == UPS_OK) return who + "accepted";
    if (outcome.status != rule.status || outcome.text.find(p.name) == std::string::npos)
      return who + "refused with \"" + ups_status_text(outcome.status) + "\": " + outcome.text;
  }
  return "";
}

}  // namespace upsilon::conformance
