// What became of calls to the CUDA runtime: the status handed to the core, and the words kept for
// last_message().
#pragma once
#include "cuda/ups_cuda.h"
#include "upsilon/upsilon.h"

namespace upsilon {

// UPS_OK, or the fitting status; the runtime's words are kept for this host thread.
ups_status device_status(cudaError_t error);
const char* device_message();

}  // namespace upsilon
