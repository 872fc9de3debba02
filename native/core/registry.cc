#include "registry.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "cpu.h"

namespace upsilon {
namespace {

// Constant-initialised: registrations in other files may run before or after this file's own
// initialisers.
constinit const OperationEntry* first_operation = nullptr;
constinit const VariantEntry* first_variant = nullptr;

const ups_operation* find_in(const std::vector<ups_operation>& all, const char* name) {
  const auto found = std::lower_bound(all.begin(), all.end(), name, [](const ups_operation& a, const char* wanted) {
    return std::strcmp(a.name, wanted) < 0;
  });
  return found != all.end() && std::strcmp(found->name, name) == 0 ? &*found : nullptr;
}

std::vector<ups_operation> build() {
  std::vector<ups_operation> all;
  for (const OperationEntry* entry = first_operation; entry; entry = entry->next) {
    ups_operation operation;
    operation.name = entry->line.name;
    operation.line = written_out(entry->line.schema);
    operation.schema = parse_schema(operation.line);
    operation.names = entry->names;
    operation.without = entry->without;
    operation.validate = entry->validate;
    if (operation.schema.options_size != entry->options_size)
      throw std::invalid_argument(std::string(operation.name) + ": the option struct and the schema differ in size");
    operation.kernels[static_cast<int>(Variant::reference)] = entry->reference_f32;
    operation.kernels_f64[static_cast<int>(Variant::reference)] = entry->reference_f64;
    all.push_back(std::move(operation));
  }
  std::sort(all.begin(), all.end(),
            [](const ups_operation& a, const ups_operation& b) { return std::strcmp(a.name, b.name) < 0; });
  for (size_t i = 1; i < all.size(); ++i)
    if (std::strcmp(all[i - 1].name, all[i].name) == 0)
      throw std::invalid_argument(std::string(all[i].name) + ": registered twice");
  if (const std::string problem = problem_of(first_variant, all); !problem.empty())
    throw std::invalid_argument(problem);
  for (const VariantEntry* entry = first_variant; entry; entry = entry->next)
    for (ups_operation& operation : all)
      if (std::strcmp(operation.name, entry->operation) == 0)
        (entry->is_double ? operation.kernels_f64 : operation.kernels)[static_cast<int>(entry->variant)] =
            entry->kernel;
  for (ups_operation& operation : all)
    for (int v = 0; v < variant_count; ++v)
      if (operation.kernels[v].run && cpu_can_run(static_cast<Variant>(v))) {
        if (!operation.variants.empty()) operation.variants += ' ';
        operation.variants += variant_name(static_cast<Variant>(v));
      }
  return all;
}

Largest find_largest() {
  Largest result;
  for (const ups_operation& operation : operations()) {
    result.parameters = std::max(result.parameters, operation.schema.parameters.size());
    result.options = std::max(result.options, operation.schema.options.size());
    result.dim_names = std::max(result.dim_names, operation.schema.dim_names.size());
  }
  return result;
}

}  // namespace

OperationEntry::OperationEntry(OperationLine line_, size_t options_size_, KernelEntry f32, KernelEntry f64,
                               Validate validate_, Without without_, schema_text::FoundNames names_)
    : line(line_), options_size(options_size_), reference_f32(f32), reference_f64(f64), validate(validate_),
      without(without_), names(names_), next(first_operation) {
  first_operation = this;
}

VariantEntry::VariantEntry(const char* operation_, Variant variant_, KernelEntry kernel_, bool is_double_)
    : operation(operation_), variant(variant_), kernel(kernel_), is_double(is_double_), next(first_variant) {
  first_variant = this;
}

const std::vector<ups_operation>& operations() {
  static const std::vector<ups_operation> all = build();
  return all;
}

const ups_operation* find_operation(const char* name) { return find_in(operations(), name); }

std::string problem_of(const VariantEntry* first, const std::vector<ups_operation>& all) {
  std::vector<std::array<bool, 2 * variant_count>> seen(all.size());
  for (const VariantEntry* entry = first; entry; entry = entry->next) {
    const auto who = [&] { return std::string(variant_name(entry->variant)) + " variant of " + entry->operation; };
    const ups_operation* operation = find_in(all, entry->operation);
    if (!operation) return who() + ": there is no such operation";
    bool& is_there = seen[static_cast<size_t>(operation - all.data())]
                         [static_cast<size_t>(2 * static_cast<int>(entry->variant) + entry->is_double)];
    if (is_there) return who() + ": registered twice";
    is_there = true;
  }
  return "";
}

const Largest& largest() {
  static const Largest found = find_largest();
  return found;
}

const ups_operation& operation_of(const OperationEntry& entry) {
  // Not std::atomic, whose header every kernel source would read.
  const ups_operation* found = __atomic_load_n(&entry.found, __ATOMIC_ACQUIRE);
  if (!found) __atomic_store_n(&entry.found, found = find_operation(entry.line.name), __ATOMIC_RELEASE);
  return *found;
}

}  // namespace upsilon
