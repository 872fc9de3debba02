// The rules of the schemas, checked on the device: the twin of core/rules.h.
#pragma once
#include "core/plugin.h"
#include "cuda/ups_cuda.h"

namespace upsilon {

// Puts the checks into the stream. A rule that is violated writes its code into *fault unless a
// fault of another call is there already; of several violated rules of one operation the first
// parameter's code remains.
cudaError_t launch_rule_checks(cudaStream_t stream, const DeviceRule* rules, int32_t count, int32_t* fault);

}  // namespace upsilon
