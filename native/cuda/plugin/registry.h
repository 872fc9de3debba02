#pragma once
#include "core/operation.h"

namespace upsilon {

// The first of the plug-in's kernels; each knows the next.
const VariantEntry* cuda_kernels();

}  // namespace upsilon
