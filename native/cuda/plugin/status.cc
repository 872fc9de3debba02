#include "cuda/plugin/status.h"

#include <cstdio>
#include <string>

namespace upsilon {
namespace {

thread_local char message[512] = "";

#if defined(UPS_EMULATION)
// The emulation knows which kernel, thread and line went wrong.
std::string details() { return ups::emu::last_message(); }
#else
std::string details() { return {}; }
#endif

}  // namespace

ups_status device_status(cudaError_t error) {
  if (error == cudaSuccess) return UPS_OK;
  const std::string more = details();
  std::snprintf(message, sizeof message, "%s (%s)%s%s", cudaGetErrorString(error), cudaGetErrorName(error),
                more.empty() ? "" : ": ", more.c_str());
  (void)cudaGetLastError();  // a non-sticky error belongs to this call only
  return error == cudaErrorMemoryAllocation ? UPS_OUT_OF_MEMORY : UPS_DEVICE;
}

const char* device_message() { return message; }

}  // namespace upsilon
