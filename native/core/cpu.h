// Which SIMD variants this processor can run.
#pragma once
#include "operation.h"

namespace upsilon {

bool cpu_can_run(Variant variant);
const char* variant_name(Variant variant);
// Returns false when the text names no variant.
bool variant_from_name(const char* text, Variant* variant);
// The widest instruction set in use: "avx512", "avx2" or "baseline".
const char* widest_isa();

}  // namespace upsilon
