// The one gate: every call, from whatever language, is checked against its schema here, given a
// variant and workspace, and run. Kernels behind it may trust what they receive.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "context.h"
#include "entry.h"
#include "options.h"
#include "registry.h"
#include "rules.h"
#include "text.h"
#include "validity.h"

// A ups_tensor is DLPack's DLTensor: the layout and the codes of dlpack.h, of every version so far.
static_assert(offsetof(ups_tensor, data) == 0 && offsetof(ups_tensor, device) == 8 &&
              offsetof(ups_tensor, ndim) == 16 && offsetof(ups_tensor, dtype) == 20 &&
              offsetof(ups_tensor, shape) == 24 && offsetof(ups_tensor, strides) == 32 &&
              offsetof(ups_tensor, byte_offset) == 40 && sizeof(ups_tensor) == 48);
static_assert(offsetof(ups_device, type) == 0 && offsetof(ups_device, id) == 4 && sizeof(ups_device) == 8);
static_assert(offsetof(ups_dtype, code) == 0 && offsetof(ups_dtype, bits) == 1 && offsetof(ups_dtype, lanes) == 2 &&
              sizeof(ups_dtype) == 4);
static_assert(UPS_CPU == 1 && UPS_CUDA == 2 && UPS_CUDA_HOST == 3 && UPS_EMULATED == 12);  // kDLExtDev
static_assert(UPS_INT == 0 && UPS_UINT == 1 && UPS_FLOAT == 2);

namespace upsilon {
namespace {

constexpr int64_t unbound = -1;

const char* wanted_dtype(ElementType type, bool is_double) {
  switch (type) {
    case ElementType::real: return is_double ? "float64" : "float32";
    case ElementType::f32: return "float32";
    case ElementType::f64: return "float64";
    case ElementType::i32: return "int32";
    case ElementType::i64: return "int64";
    case ElementType::u8: return "uint8";
  }
  return "";
}

bool dtype_is(ups_dtype dtype, ElementType type, bool is_double) {
  const auto is = [&](int code, int bits) { return dtype.code == code && dtype.bits == bits && dtype.lanes == 1; };
  switch (type) {
    case ElementType::real: return is(UPS_FLOAT, is_double ? 64 : 32);
    case ElementType::f32: return is(UPS_FLOAT, 32);
    case ElementType::f64: return is(UPS_FLOAT, 64);
    case ElementType::i32: return is(UPS_INT, 32);
    case ElementType::i64: return is(UPS_INT, 64);
    case ElementType::u8: return is(UPS_UINT, 8);
  }
  return false;
}

// One call on its way through the gate.
class Gate {
 public:
  Gate(ups_context& context, const ups_operation& operation, const ups_tensor* const* tensors)
      : context_(context), operation_(operation), schema_(operation.schema), tensors_(tensors), notes_(context.notes) {
    if (notes_.dims.empty()) size_notes();
    dims_ = notes_.dims.data();
    call_.tensors = tensors;
    call_.dims = dims_;
    call_.threads = &context.threads;
    call_.stream = context.stream;
    call_.fault = context.fault;
    call_.precision = context.precision;
    call_.last_strategy = &strategy_;
    std::fill_n(dims_, schema_.dim_names.size(), unbound);
  }

  ups_status run(const void* options) {
    ups_status status = check_tensors();
    if (status == UPS_OK) status = read_options(options);
    if (status == UPS_OK) status = check_shapes();
    if (status == UPS_OK) status = check_options();
    if (status == UPS_OK) status = validate();
    if (status == UPS_OK) status = check_overlap();
    if (status == UPS_OK) status = choose_kernel();
    if (status == UPS_OK) status = choose_strategy();
    if (status == UPS_OK) status = check_contents();  // last, as a device reports it later
    context_.last_strategy = "";
    if (status != UPS_OK || writes_nothing()) return status;
    drop_rows_of_nothing();
    status = reserve_workspace();
    if (status != UPS_OK) return status;
    status = kernel_.run(call_);
    context_.last_strategy = strategy_ < 0 ? "" : kernel_.strategies[strategy_];
    if (status == UPS_OK) return UPS_OK;
    const char* said = context_.plugin ? context_.plugin->last_message() : ups_status_text(status);
    return fail(status, "", said);
  }

 private:
  ups_context& context_;
  const ups_operation& operation_;
  const Schema& schema_;
  const ups_tensor* const* tensors_;
  Call call_{};
  KernelEntry kernel_;
  int32_t strategy_ = -1;  // that has computed the call
  Notes& notes_;
  int64_t* dims_;

  void size_notes() {
    const Largest& most = largest();
    notes_.bound_by.resize(most.dim_names);
    notes_.given.resize(most.dim_names);
    notes_.rules.resize(most.parameters);
    notes_.dims.resize(std::max<size_t>(most.dim_names, 1));  // last: a sign that all others are there
  }
  ups_status fail(ups_status status, std::string_view argument, std::string_view text) {
    return context_.error.set(status, operation_.name, argument, text);
  }
  int parameter_count() const { return static_cast<int>(schema_.parameters.size()); }
  const Parameter& parameter(int i) const { return schema_.parameters[static_cast<size_t>(i)]; }

  // Presence, device, dtype, layout: each tensor by itself.
  ups_status check_tensors() {
    bool real_seen = false;
    int real_from = -1;
    for (int i = 0; i < parameter_count(); ++i) {
      const Parameter& p = parameter(i);
      const ups_tensor* t = tensors_[i];
      if (!t) {
        if (p.optional) continue;
        return fail(UPS_VALUE, p.name, named(p.name) + " is missing (expected " + p.shape_text + ")");
      }
      const bool host = t->device.type == UPS_CPU || t->device.type == UPS_CUDA_HOST;
      if (context_.plugin ? (t->device.type != context_.device.type || t->device.id != context_.device.id) : !host)
        return fail(
            UPS_DEVICE, p.name,
            named(p.name) + " is on " + device_text(t->device) + " (expected " + device_text(context_.device) + ")");
      if (p.type == ElementType::real && !real_seen && t->dtype.code == UPS_FLOAT) {
        real_seen = true;
        real_from = i;
        call_.is_double = t->dtype.bits == 64;
      }
      if (!dtype_is(t->dtype, p.type, call_.is_double)) {
        std::string text = named(p.name) + " is " + dtype_text(t->dtype) + " (expected ";
        text +=
            p.type == ElementType::real && !real_seen ? "float32 or float64" : wanted_dtype(p.type, call_.is_double);
        if (real_seen && real_from != i && p.type == ElementType::real)
          text += ", as " + named(parameter(real_from).name);
        return fail(UPS_DTYPE, p.name, text + ")");
      }
      if (t->ndim < 0 || t->ndim > UPS_MAX_DIMENSIONS || (t->ndim > 0 && !t->shape))
        return fail(UPS_SHAPE, p.name,
                    named(p.name) + format(" has %d dimensions (at most %d)", t->ndim, UPS_MAX_DIMENSIONS));
      const int64_t elements = element_count(*t);
      if (elements < 0) return fail(UPS_SHAPE, p.name, named(p.name) + " has the impossible shape " + shape_text(*t));
      if (elements > 0 && !t->data) return fail(UPS_VALUE, p.name, named(p.name) + " has no memory (its data is null)");
      if ((reinterpret_cast<uintptr_t>(t->data) + t->byte_offset) % element_size(t->dtype) != 0)
        return fail(UPS_VALUE, p.name, named(p.name) + " is not aligned to its element size");
      if (!is_dense(*t))
        return fail(UPS_SHAPE, p.name, named(p.name) + " is strided (expected dense row-major memory)");
    }
    return UPS_OK;
  }

  static bool is_dense(const ups_tensor& t) {
    if (!t.strides || element_count(t) == 0) return true;
    int64_t stride = 1;
    for (int32_t d = t.ndim - 1; d >= 0; --d) {
      if (t.shape[d] != 1 && t.strides[d] != stride) return false;
      stride *= t.shape[d];
    }
    return true;
  }

  // Binds the schema's dimension names to numbers and finds contradictions.
  ups_status check_shapes() {
    const int names = static_cast<int>(schema_.dim_names.size());
    for (int i = 0; i < parameter_count(); ++i) {
      if (!tensors_[i]) continue;
      const Parameter& p = parameter(i);
      const ups_tensor& t = *tensors_[i];
      const int rank = static_cast<int>(p.dims.size());
      if (p.leading ? t.ndim < rank - 1 : t.ndim != rank) return wrong_rank(i);
      for (int d = 0; d < rank; ++d) {
        const Dimension& dim = p.dims[static_cast<size_t>(d)];
        if (dim.names.size() > 1 || !dim.alternatives.empty() || !dim.factors.empty()) continue;
        const int64_t found = extent(p, t, d) - dim.constant;
        if (dim.names.empty() ? found != 0 : found < 0) return wrong_extent(i, d);
        if (dim.names.empty()) continue;
        const int name = dim.names[0];
        if (dims_[name] == unbound) {
          dims_[name] = found;
          notes_.bound_by[static_cast<size_t>(name)] = i;
        } else if (dims_[name] != found) {
          return wrong_extent(i, d);
        }
      }
    }
    char* const given = notes_.given.data();
    for (int name = 0; name < names; ++name)
      if (!(given[name] = dims_[name] != unbound)) dims_[name] = 0;  // only in arguments that were left out
    for (int i = 0; i < parameter_count(); ++i) {
      if (!tensors_[i]) continue;
      const Parameter& p = parameter(i);
      for (int d = 0; d < static_cast<int>(p.dims.size()); ++d) {
        const Dimension& dim = p.dims[static_cast<size_t>(d)];
        if (dim.names.size() < 2 && dim.alternatives.empty() && dim.factors.empty()) continue;
        int64_t wanted = dim.factors.empty() ? dim.constant : product(dim);
        for (const int name : dim.names) wanted += dims_[name];
        for (const int name : dim.alternatives)
          if (given[name]) {
            wanted = dims_[name];
            break;
          }
        if (extent(p, *tensors_[i], d) != wanted)
          return fail(UPS_SHAPE, p.name,
                      named(p.name) + " is " + shape_text(*tensors_[i]) +
                          format(" but %lld are wanted in dimension %d (expected ", static_cast<long long>(wanted), d) +
                          named(p.name) + " " + p.shape_text + ")");
      }
    }
    return UPS_OK;
  }

  int64_t product(const Dimension& dim) const {
    int64_t product = 1;
    for (const Factor& factor : dim.factors) {
      int32_t counts = 1;
      if (factor.option >= 0)
        std::memcpy(
            &counts,
            static_cast<const char*>(call_.options) + schema_.options[static_cast<size_t>(factor.option)].offset,
            sizeof counts);
      // No tensor has as many elements as a product that overflows stands for.
      if (counts != 0 && __builtin_mul_overflow(product, dims_[factor.name], &product)) return unbound;
    }
    return product;
  }

  static int64_t extent(const Parameter& p, const ups_tensor& t, int d) {
    const int rank = static_cast<int>(p.dims.size());
    if (!p.leading) return t.shape[d];
    if (d > 0) return t.shape[t.ndim - rank + d];
    int64_t product = 1;
    for (int k = 0; k < t.ndim - rank + 1; ++k) product *= t.shape[k];
    return product;
  }

  ups_status wrong_rank(int i) {
    const Parameter& p = parameter(i);
    return fail(
        UPS_SHAPE, p.name,
        named(p.name) + " is " + shape_text(*tensors_[i]) + " (expected " + named(p.name) + " " + p.shape_text + ")");
  }
  ups_status wrong_extent(int i, int d) {
    const Parameter& p = parameter(i);
    const Dimension& dim = p.dims[static_cast<size_t>(d)];
    std::string text = named(p.name) + " is " + shape_text(*tensors_[i]);
    if (!dim.names.empty() && dims_[dim.names[0]] != unbound) {
      const int name = dim.names[0];
      const int by = notes_.bound_by[static_cast<size_t>(name)];
      const Parameter& other = parameter(by);
      const std::string& dim_name = schema_.dim_names[static_cast<size_t>(name)];
      text += " but " + named(other.name) + " is " + shape_text(*tensors_[by]);
      text += dim_name == "..."
                  ? ", which has other leading dimensions"
                  : format(", where %s is %lld", named(dim_name).c_str(), static_cast<long long>(dims_[name]));
    }
    return fail(UPS_SHAPE, p.name, text + " (expected " + named(p.name) + " " + p.shape_text + ")");
  }

  ups_status read_options(const void* given) {
    std::string problem;
    call_.options = resolve_options(schema_, given, &context_.options, &problem);
    return call_.options ? UPS_OK : fail(UPS_VALUE, "options", problem);
  }

  // Checks that the schema does not express.
  ups_status validate() {
    if (!operation_.validate) return UPS_OK;
    Refusal refusal(schema_, call_);
    operation_.validate(call_, refusal);
    return refusal.is_set() ? fail(refusal.status, refusal.name, named(refusal.name) + " " + refusal.text) : UPS_OK;
  }

  ups_status check_options() {
    const void* const options = call_.options;
    for (const Option& o : schema_.options) {
      const double value = option_value(o, options);
      if (o.type == OptionType::choice || o.type == OptionType::boolean) {
        const int last = o.type == OptionType::boolean ? 1 : static_cast<int>(o.choices.size()) - 1;
        if (value < 0 || value > last)
          return fail(UPS_VALUE, o.name, named(o.name) + format(" is %.0f (expected 0 to %d)", value, last));
      } else if (o.range.is_limited() && !o.range.has(value)) {
        return fail(UPS_VALUE, o.name,
                    named(o.name) + " is " + option_text(o, options) + " (expected " + range_text(o.range) + ")");
      }
    }
    return UPS_OK;
  }

  // Dimensions of arguments without elements can have any size, and a kernel that loops over them
  // would not return. Such a call is not run if there is no output to write; otherwise the loops
  // are as long as if the dimensions were 0.
  void drop_rows_of_nothing() {
    constexpr int64_t walkable = int64_t{1} << 32;
    for (int name = 0; name < static_cast<int>(schema_.dim_names.size()); ++name)
      if (dims_[name] > walkable && !is_backed(name)) dims_[name] = 0;
  }
  // Whether an argument that has elements has the dimension, or a rule counts on it.
  bool is_backed(int name) const {
    for (int i = 0; i < parameter_count(); ++i) {
      if (!tensors_[i]) continue;
      if (parameter(i).rule_dim == name) return true;
      if (element_count(*tensors_[i]) == 0) continue;
      for (const Dimension& dim : parameter(i).dims) {
        const auto is_it = [name](int other) { return other == name; };
        if (std::any_of(dim.names.begin(), dim.names.end(), is_it) ||
            std::any_of(dim.alternatives.begin(), dim.alternatives.end(), is_it) ||
            std::any_of(dim.factors.begin(), dim.factors.end(), [name](const Factor& f) { return f.name == name; }))
          return true;
      }
    }
    return false;
  }

  bool writes_nothing() const {
    for (int i = schema_.inputs; i < parameter_count(); ++i)
      if (tensors_[i] && element_count(*tensors_[i]) > 0) return false;
    return true;
  }

  // An output that shares memory with any other argument would silently be computed from itself.
  ups_status check_overlap() {
    for (int i = schema_.inputs; i < parameter_count(); ++i) {
      const auto [begin, end] = range(i);
      if (begin == end) continue;
      for (int k = 0; k < parameter_count(); ++k) {
        const auto [other_begin, other_end] = range(k);
        if (k != i && other_begin < end && begin < other_end)
          return fail(UPS_VALUE, parameter(i).name,
                      named(parameter(i).name) + " shares memory with " + named(parameter(k).name) +
                          " (expected memory of its own)");
      }
    }
    return UPS_OK;
  }
  std::pair<uintptr_t, uintptr_t> range(int i) const {
    const ups_tensor* t = tensors_[i];
    if (!t) return {0, 0};
    const uintptr_t begin = reinterpret_cast<uintptr_t>(t->data) + t->byte_offset;
    const uintptr_t bytes = static_cast<uintptr_t>(element_count(*t)) * element_size(t->dtype);
    return {begin, begin + bytes};
  }

  // The data rules: checked here for host memory, by kernels in the stream for devices.
  ups_status check_contents() {
    int32_t device_rule_count = 0;
    std::string problem;
    for (int i = 0; i < parameter_count(); ++i) {
      const Parameter& p = parameter(i);
      const bool is_about_count = row_of(p.rule).status == UPS_SHAPE;
      if (p.rule == Rule::none || !tensors_[i] || (p.output && !is_about_count)) continue;
      const RuledElements ruled = ruled_elements(i);
      if (context_.plugin) {
        const auto operation_index = static_cast<int32_t>(&operation_ - operations().data());
        notes_.rules[static_cast<size_t>(device_rule_count++)] = {p.rule, ruled, operation_index << 8 | (i + 1)};
        continue;
      }
      OperandNames names;
      if (p.rule_dim >= 0) names.bound = schema_.dim_names[static_cast<size_t>(p.rule_dim)].c_str();
      if (p.rule_keys >= 0) names.keys = parameter(p.rule_keys).name.c_str();
      if (!check_rule(p.rule, ruled, names, &problem))
        return fail(row_of(p.rule).status, p.name, named(p.name) + " " + problem);
    }
    if (device_rule_count == 0) return UPS_OK;
    const ups_status status = context_.plugin->check_rules(context_.device.id, context_.stream, notes_.rules.data(),
                                                           device_rule_count, context_.fault);
    return status == UPS_OK ? UPS_OK : fail(status, "", context_.plugin->last_message());
  }

  RuledElements ruled_elements(int i) const {
    const Parameter& p = parameter(i);
    const auto integers = [&](int other) { return other >= 0 ? call_.data<const int32_t>(other) : nullptr; };
    RuledElements ruled{};
    ruled.data = call_.data<const char>(i);
    ruled.count = element_count(*tensors_[i]);
    ruled.bound = p.rule_dim >= 0 ? dims_[p.rule_dim] : 0;
    ruled.offsets = integers(p.rule_offsets);
    ruled.others = integers(p.rule_others);
    ruled.events = ruled.offsets ? element_count(*tensors_[p.rule_offsets]) - 1 : 0;
    ruled.keys = p.rule_keys >= 0 ? call_.data<const char>(p.rule_keys) : nullptr;
    ruled.is_double = call_.is_double;
    return ruled;
  }

  bool usable(const KernelEntry& kernel) const { return kernel.run && (!kernel.supports || kernel.supports(call_)); }

  ups_status choose_kernel() {
    if (context_.plugin) {
      kernel_ = plugin_kernel(*context_.plugin, operation_.name);
      context_.last_variant.store(variant_name(Variant::cuda), std::memory_order_relaxed);
      if (!call_.is_double && usable(kernel_)) return context_.plugin->select(context_.device.id);
      return fail(UPS_UNSUPPORTED, "",
                  call_.is_double ? "float64 is supported on the CPU only"
                                  : "unsupported on " + device_text(context_.device) + " for these sizes and options");
    }
    // In float64 the reference, which is the oracle, stands in for variants that do not exist.
    if (context_.forced && (!call_.is_double || has(context_.forced_variant))) return take(context_.forced_variant);
    for (const Variant v : {Variant::avx512, Variant::avx2, Variant::baseline})
      if (!context_.forced && cpu_can_run(v) && usable(kernels()[static_cast<int>(v)])) return take(v);
    return take(Variant::reference);
  }
  const KernelEntry* kernels() const { return call_.is_double ? operation_.kernels_f64 : operation_.kernels; }
  bool has(Variant variant) const { return kernels()[static_cast<int>(variant)].run != nullptr; }
  ups_status take(Variant variant) {
    kernel_ = kernels()[static_cast<int>(variant)];
    context_.last_variant.store(variant_name(variant), std::memory_order_relaxed);
    if (usable(kernel_)) return UPS_OK;
    const char* const in_double = call_.is_double ? " in float64" : "";
    return fail(UPS_UNSUPPORTED, "",
                kernel_.run ? format("the %s variant does not support these sizes and options%s", variant_name(variant),
                                     in_double)
                            : format("there is no %s variant of this operation%s", variant_name(variant), in_double));
  }

  // Kernels that have no strategy of the name that the context asks for choose themselves.
  ups_status choose_strategy() {
    if (context_.strategy.empty() || !kernel_.strategies) return UPS_OK;
    int32_t number = 0;
    while (kernel_.strategies[number] && context_.strategy != kernel_.strategies[number]) ++number;
    if (!kernel_.strategies[number]) return UPS_OK;
    call_.strategy = number;
    if (kernel_.fits(call_, number)) return UPS_OK;
    return fail(UPS_UNSUPPORTED, "UPSILON_STRATEGY",
                format("the strategy %s does not support these sizes and options", context_.strategy.c_str()));
  }

  ups_status reserve_workspace() {
    const size_t bytes = kernel_.workspace ? kernel_.workspace(call_) : 0;
    if (bytes == 0) return UPS_OK;
    call_.workspace = context_.workspace.reserve(bytes, context_.plugin, context_.device.id);
    return call_.workspace ? UPS_OK
                           : fail(UPS_OUT_OF_MEMORY, "",
                                  "out of memory: " + bytes_text(bytes) + " of workspace could not be allocated");
  }
};

ups_status run_operation(ups_context& context, const ups_operation& operation, const ups_tensor* const* tensors,
                         int32_t count, const void* options) {
  const size_t wanted = operation.schema.parameters.size();
  if (count == static_cast<int32_t>(wanted) && tensors) return Gate(context, operation, tensors).run(options);
  return context.error.set(UPS_VALUE, operation.name, "",
                           format("%d tensors were given (expected %zu: %s)", count, wanted, operation.line.c_str()));
}

}  // namespace

ups_status call(ups_context* context, const OperationEntry& entry, const ups_tensor* const* tensors, int32_t count,
                const void* options) noexcept {
  return enter(context, entry.line.name,
               [&] { return run_operation(*context, operation_of(entry), tensors, count, options); });
}

}  // namespace upsilon

using namespace upsilon;

namespace {

// Parsed at the first use, for which there may be no memory.
const std::vector<ups_operation>* known_operations() noexcept {
  try {
    return &operations();
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace

extern "C" {

const ups_operation* ups_operation_find(const char* name) noexcept {
  return name && known_operations() ? find_operation(name) : nullptr;
}
int32_t ups_operation_count(void) noexcept {
  const auto* all = known_operations();
  return all ? static_cast<int32_t>(all->size()) : 0;
}
const ups_operation* ups_operation_at(int32_t index) noexcept {
  return index >= 0 && index < ups_operation_count() ? &operations()[static_cast<size_t>(index)] : nullptr;
}
const char* ups_operation_name(const ups_operation* operation) noexcept { return operation ? operation->name : ""; }
const char* ups_operation_schema(const ups_operation* operation) noexcept {
  return operation ? operation->line.c_str() : "";
}
const char* ups_operation_variants(const ups_operation* operation) noexcept {
  return operation ? operation->variants.c_str() : "";
}
ups_status ups_call(ups_context* context, const ups_operation* operation, const ups_tensor* const* tensors,
                    int32_t count, const void* options) noexcept {
  return enter(context, operation ? operation->name : "", [&] {
    if (operation) return run_operation(*context, *operation, tensors, count, options);
    return context->error.set(UPS_VALUE, "", "operation", "the operation is null");
  });
}

}  // extern "C"
