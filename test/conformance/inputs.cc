#include "inputs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace upsilon::conformance {
namespace {

bool single(const Dimension& dim) { return dim.is_single(); }

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

void fill_splits(HostTensor& t, int64_t bound, const Hint& hint, Random& random) {
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

void fill_indices(HostTensor& t, int64_t bound, const Hint& hint, const HostTensor* rows, const HostTensor* equal_to,
                  Random& random) {
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

void fill_forest(HostTensor& t, const HostTensor& offsets, const Hint& hint, Random& random) {
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

void fill_order(HostTensor& t, const HostTensor& keys, const HostTensor& offsets) {
  std::vector<int64_t> order(static_cast<size_t>(t.count()));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t set = 0; set + 1 < offsets.count(); ++set)
    std::stable_sort(order.begin() + static_cast<int64_t>(offsets.value(set)),
                     order.begin() + static_cast<int64_t>(offsets.value(set + 1)),
                     [&](int64_t a, int64_t b) { return keys.value(a) < keys.value(b); });
  for (int64_t i = 0; i < t.count(); ++i) t.set(i, static_cast<double>(order[static_cast<size_t>(i)]));
}

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

// The gate's own reading of a schema: a name counts in sums and alternatives when an argument given here has it.
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
  const HostTensor& offsets = make(schema, schema.parameters[static_cast<size_t>(p.rule_parameter)], dims);
  const HostTensor& others = make(schema, schema.parameters[static_cast<size_t>(p.rule_other)], dims);
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
  const int64_t bound = p.rule_dim >= 0 ? dims.at(schema.dim_names[static_cast<size_t>(p.rule_dim)]) : 0;
  switch (p.rule) {
    case Rule::splits: fill_splits(t, bound, hint, numbers); break;
    case Rule::below: fill_indices(t, bound, hint, named(hint.rows), named(hint.equal_to), numbers); break;
    case Rule::forest:
      fill_forest(t, make(schema, schema.parameters[static_cast<size_t>(p.rule_parameter)], dims), hint, numbers);
      break;
    case Rule::sorts:
      fill_order(t, make(schema, schema.parameters[static_cast<size_t>(p.rule_keys)], dims),
                 make(schema, schema.parameters[static_cast<size_t>(p.rule_parameter)], dims));
      break;
    case Rule::none:
    case Rule::finite:
    case Rule::pairs:
    case Rule::numbers:
      if (t.is_float()) fill_real(t, hint, numbers);
      else
        for (int64_t i = 0; i < t.count(); ++i) t.set(i, static_cast<double>(numbers.below(hint.below)));
  }
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
