#include "registry.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "cpu.h"

namespace upsilon {
namespace {

// Constant-initialised: registrations in other files may run before or after this file's own initialisers.
constinit const OperationEntry* first_operation = nullptr;
constinit const VariantEntry* first_variant = nullptr;

std::vector<ups_operation> build() {
  std::vector<ups_operation> all;
  for (const OperationEntry* entry = first_operation; entry; entry = entry->next) {
    ups_operation operation;
    operation.name = entry->name;
    operation.line = entry->schema;
    operation.schema = parse_schema(entry->schema);
    if (operation.schema.options_size != entry->options_size)
      throw std::invalid_argument(std::string(entry->name) + ": the option struct and the schema differ in size");
    operation.kernels[static_cast<int>(Variant::reference)] = entry->reference_f32;
    operation.kernels_f64[static_cast<int>(Variant::reference)] = entry->reference_f64;
    all.push_back(std::move(operation));
  }
  std::sort(all.begin(), all.end(),
            [](const ups_operation& a, const ups_operation& b) { return std::strcmp(a.name, b.name) < 0; });
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

}  // namespace

OperationEntry::OperationEntry(const char* name_, const char* schema_, size_t options_size_, KernelEntry f32,
                               KernelEntry f64)
    : name(name_), schema(schema_), options_size(options_size_), reference_f32(f32), reference_f64(f64),
      next(first_operation) {
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

const ups_operation* find_operation(const char* name) {
  const auto& all = operations();
  const auto found = std::lower_bound(all.begin(), all.end(), name, [](const ups_operation& a, const char* wanted) {
    return std::strcmp(a.name, wanted) < 0;
  });
  return found != all.end() && std::strcmp(found->name, name) == 0 ? &*found : nullptr;
}

const ups_operation& operation_of(const OperationEntry& entry) {
  // Not std::atomic, whose header every kernel source would read.
  const ups_operation* found = __atomic_load_n(&entry.found, __ATOMIC_ACQUIRE);
  if (!found) __atomic_store_n(&entry.found, found = find_operation(entry.name), __ATOMIC_RELEASE);
  return *found;
}

}  // namespace upsilon
