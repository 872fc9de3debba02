// All operations of this process and the variants of each, found without any list to edit.
#pragma once
#include <string>
#include <vector>

#include "operation.h"
#include "schema.h"

struct ups_operation {
  const char* name = nullptr;
  std::string line;  // the schema, lists written out
  upsilon::Schema schema;
  upsilon::schema_text::FoundNames names;  // of the line, as the compiler found them; empty where it did not look
  upsilon::Without without;
  upsilon::Validate validate = nullptr;
  upsilon::KernelEntry kernels[upsilon::variant_count];  // f32; run is null where a variant does not exist
  upsilon::KernelEntry kernels_f64[upsilon::variant_count];
  std::string variants;  // names, space-separated
};

namespace upsilon {

// Sorted by name. Built at the first call, constant afterwards; throws std::invalid_argument where
// registrations contradict each other.
const std::vector<ups_operation>& operations();
const ups_operation* find_operation(const char* name);
const ups_operation& operation_of(const OperationEntry& entry);

// What is wrong with a list of variants: the first one of an operation that does not exist, or that
// another is registered for already; "" where nothing is.
std::string problem_of(const VariantEntry* first, const std::vector<ups_operation>& all);
// The most arguments, options and dimension names that an operation has.
struct Largest {
  size_t parameters = 0, options = 0, dim_names = 0;
};
const Largest& largest();

}  // namespace upsilon
