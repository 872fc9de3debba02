// Checks the rules of the schemas on the device; the counterpart of core/rules.h.
#pragma once
#include "core/plugin.h"
#include "cuda/ups_cuda.h"

namespace upsilon {

// Puts the checks into the stream. A violated rule writes its code into *fault unless that holds
// the fault of an earlier call; of several violated rules of one operation the code of the first
// parameter remains.
cudaError_t launch_rule_checks(cudaStream_t stream, const DeviceRule* rules, int32_t count, int32_t* fault);

}  // namespace upsilon
