// Results of calls to the CUDA runtime: the status for the core, and the text kept for
// last_message().
#pragma once
#include "cuda/ups_cuda.h"
#include "upsilon/upsilon.h"

namespace upsilon {

// UPS_OK, or the matching status; the runtime's text is kept for this host thread.
ups_status device_status(cudaError_t error);
const char* device_message();

}  // namespace upsilon
