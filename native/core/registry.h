// All operations of this process and the variants of each, found without any list to edit.
#pragma once
#include <string>
#include <vector>

#include "operation.h"
#include "schema.h"

struct ups_operation {
  const char* name = nullptr;
  const char* line = nullptr;  // the schema as written
  upsilon::Schema schema;
  upsilon::KernelEntry kernels[upsilon::variant_count];  // f32; run is null where a variant does not exist
  upsilon::KernelEntry kernels_f64[upsilon::variant_count];
  std::string variants;  // names, space-separated
};

namespace upsilon {

// Sorted by name. Built at the first call, constant afterwards.
const std::vector<ups_operation>& operations();
const ups_operation* find_operation(const char* name);
const ups_operation& operation_of(const OperationEntry& entry);

}  // namespace upsilon
