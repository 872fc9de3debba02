#include "inputs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "rule_inputs.h"

namespace upsilon::conformance {
namespace {

bool single(const Dimension& dim) { return dim.is_single(); }

}  // namespace

void call_plainly(ups_context* context, const ups_operation& operation, Arguments& arguments, const void* options) {
  std::vector<ups_tensor> views(arguments.size());
  std::vector<const ups_tensor*> pointers(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i]) continue;
    HostTensor& t = *arguments[i];
    views[i] = {
        t.bytes.data(), {UPS_CPU, 0}, static_cast<int32_t>(t.shape.size()), t.dtype, t.shape.data(), nullptr, 0};
    pointers[i] = &views[i];
  }
  if (ups_call(context, &operation, pointers.data(), static_cast<int32_t>(pointers.size()), options) != UPS_OK)
    throw std::runtime_error(std::string(operation.name) + ": " + ups_last_error(context)->text);
}

bool Inputs::needs_unnamed(const Schema& schema, const Parameter& p, const Dims& dims) {
  const auto unnamed = [&](int name) { return !dims.count(schema.dim_names[static_cast<size_t>(name)]); };
  if (p.rule_dim >= 0 && unnamed(p.rule_dim)) return true;
  return std::any_of(p.dims.begin(), p.dims.end(), [&](const Dimension& dim) {
    return single(dim) && schema.dim_names[static_cast<size_t>(dim.names[0])] != "..." && unnamed(dim.names[0]);
  });
}

bool Inputs::given(const Schema& schema, const Parameter& p, const Dims& dims) const {
  return !p.optional || (!case_.omit.count(p.name) && !needs_unnamed(schema, p, dims));
}

Inputs::Dims Inputs::bind(const Schema& schema) const {
  Dims dims(case_.dims);
  for (const Parameter& p : schema.parameters) {
    const auto made = made_.find(p.name);
    if (made == made_.end() || p.leading) continue;
    for (size_t d = 0; d < p.dims.size() && d < made->second.shape.size(); ++d)
      if (single(p.dims[d]))
        dims[schema.dim_names[static_cast<size_t>(p.dims[d].names[0])]] = made->second.shape[d] - p.dims[d].constant;
  }
  return dims;
}

// The gate's own reading of a schema: a name counts in sums and alternatives when an argument given
// here has it.
std::vector<int64_t> Inputs::shape(const Schema& schema, const Parameter& p, const Dims& dims) const {
  const auto bound = [&](int name) {
    return std::any_of(schema.parameters.begin(), schema.parameters.end(), [&](const Parameter& other) {
      return given(schema, other, dims) && std::any_of(other.dims.begin(), other.dims.end(), [&](const Dimension& dim) {
               return single(dim) && dim.names[0] == name;
             });
    });
  };
  const auto extent = [&](int name) {
    const std::string& text = schema.dim_names[static_cast<size_t>(name)];
    const auto found = dims.find(text);
    if (found == dims.end()) throw std::runtime_error("dimension " + text + " of " + p.name + " is missing");
    return found->second;
  };
  std::vector<int64_t> extents;
  for (const Dimension& dim : p.dims) {
    if (single(dim) && schema.dim_names[static_cast<size_t>(dim.names[0])] == "...") {
      if (!case_.has_leading) throw std::runtime_error("the leading dimensions of " + p.name + " are missing");
      extents.insert(extents.end(), case_.leading.begin(), case_.leading.end());
      continue;
    }
    int64_t sum = dim.constant;
    for (const int name : dim.names) sum += single(dim) || bound(name) ? extent(name) : 0;
    const auto first = std::find_if(dim.alternatives.begin(), dim.alternatives.end(), bound);
    if (first != dim.alternatives.end()) sum = extent(*first);
    if (!dim.factors.empty()) {
      const std::vector<char> options = case_.option_bytes(schema);
      sum = 1;
      for (const Factor& factor : dim.factors) {
        int32_t counts = 1;
        if (factor.option >= 0)
          std::memcpy(&counts, options.data() + schema.options[static_cast<size_t>(factor.option)].offset,
                      sizeof counts);
        if (counts != 0) sum *= extent(factor.name);
      }
    }
    extents.push_back(sum);
  }
  return extents;
}

// As many elements as the rule `pairs` wants, whatever number the case has for the dimension.
int64_t Inputs::count_pairs(const Schema& schema, const Parameter& p, const Dims& dims) {
  const HostTensor& offsets = make(schema, schema.parameters[static_cast<size_t>(p.rule_offsets)], dims);
  const HostTensor& others = make(schema, schema.parameters[static_cast<size_t>(p.rule_others)], dims);
  double pairs = 0;
  for (int64_t event = 0; event + 1 < offsets.count(); ++event)
    pairs += (offsets.value(event + 1) - offsets.value(event)) * (others.value(event + 1) - others.value(event));
  return static_cast<int64_t>(pairs) * dims.at(schema.dim_names[static_cast<size_t>(p.rule_dim)]);
}

HostTensor Inputs::random(const Schema& schema, const Parameter& p, const Dims& dims) {
  HostTensor t(dtype_of(p.type, false),
               p.rule == Rule::pairs ? std::vector<int64_t>{count_pairs(schema, p, dims)} : shape(schema, p, dims));
  Random numbers(case_.seed ^ hash(p.name));
  const auto found = case_.data.find(p.name);
  const Hint hint = found == case_.data.end() ? Hint{} : found->second;
  const auto named = [&](const std::string& name) -> const HostTensor* {
    if (name.empty()) return nullptr;
    for (const Parameter& other : schema.parameters)
      if (other.name == name) return &make(schema, other, dims);
    return nullptr;
  };
  const auto at = [&](int parameter) -> const HostTensor* {
    return parameter >= 0 ? &make(schema, schema.parameters[static_cast<size_t>(parameter)], dims) : nullptr;
  };
  RuleInputs in{hint, numbers};
  in.bound = p.rule_dim >= 0 ? dims.at(schema.dim_names[static_cast<size_t>(p.rule_dim)]) : 0;
  in.offsets = at(p.rule_offsets);
  in.keys = at(p.rule_keys);
  in.rows = named(hint.rows);
  in.equal_to = named(hint.equal_to);
  fill_by_rule(p.rule, t, in);
  return t;
}

const HostTensor& Inputs::make(const Schema& schema, const Parameter& p, const Dims& dims) {
  const auto made = made_.find(p.name);
  if (made != made_.end()) return made->second;
  HostTensor t = random(schema, p, dims);
  if (in_double_ && p.type == ElementType::real) {
    HostTensor wide(dtype_of(p.type, true), t.shape);
    for (int64_t i = 0; i < t.count(); ++i) wide.set(i, t.value(i));
    t = std::move(wide);
  }
  return made_.emplace(p.name, std::move(t)).first->second;
}

void Inputs::derive_for(const Schema& schema) {
  const auto derived = [&](const std::string& name) {
    return std::any_of(case_.derive.begin(), case_.derive.end(), [&](const std::string& source) {
      const ups_operation* operation = find_operation(source.c_str());
      return operation && std::any_of(operation->schema.parameters.begin(), operation->schema.parameters.end(),
                                      [&](const Parameter& p) { return p.output && p.name == name; });
    });
  };
  // The operation's own arguments come first: what is derived from them then has their shapes.
  const Dims dims = bind(schema);
  for (const Parameter& p : schema.parameters)
    if (!p.output && given(schema, p, dims) && !derived(p.name)) make(schema, p, dims);
  for (const std::string& name : case_.derive) {
    const ups_operation* source = find_operation(name.c_str());
    if (!source) throw std::runtime_error("there is no operation " + name);
    const auto wanted = [&](const Parameter& output) {
      return output.output && !made_.count(output.name) &&
             std::any_of(schema.parameters.begin(), schema.parameters.end(),
                         [&](const Parameter& p) { return !p.output && p.name == output.name; });
    };
    const auto& all = source->schema.parameters;
    if (std::none_of(all.begin(), all.end(), wanted)) continue;
    Arguments arguments = assemble(source->schema);
    call_plainly(reference_, *source, arguments, case_.option_bytes(source->schema).data());
    for (size_t i = 0; i < all.size(); ++i)
      if (arguments[i] && wanted(all[i])) made_.emplace(all[i].name, std::move(*arguments[i]));
  }
}

Arguments Inputs::assemble(const Schema& schema) {
  derive_for(schema);
  const Dims dims = bind(schema);
  Arguments result;
  for (const Parameter& p : schema.parameters) {
    if (!given(schema, p, dims)) result.emplace_back();
    else if (p.output && !p.in_place)
      result.emplace_back(HostTensor(
          dtype_of(p.type, in_double_),
          p.rule == Rule::pairs ? std::vector<int64_t>{count_pairs(schema, p, dims)} : shape(schema, p, dims)));
    else result.emplace_back(make(schema, p, dims));
  }
  return result;
}

Arguments Inputs::arguments(const ups_operation& operation) { return assemble(operation.schema); }

}  // namespace upsilon::conformance
