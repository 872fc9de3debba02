// One call as the test makes it: every tensor in memory of its own, with guard bands, on the host
// or on a device.
#pragma once
#include "core/registry.h"
#include "host_tensor.h"

namespace upsilon::conformance {

struct Outcome {
  ups_status status = UPS_OK;
  std::string text;       // of a failure
  std::string violation;  // a guard band overwritten, an input changed, the wrong variant
  Arguments outputs;      // schema order; nothing for inputs
};

// How the memory of a call is laid out. Both fills of outputs must give the same results.
struct Layout {
  bool shifted = false;  // tensors begin one element behind an aligned address; empty ones have no memory
};

// `variant`: the name that must have run, and `strategy`, where one is forced.
Outcome invoke(ups_context* context, ups_device device, const ups_operation& operation, const Arguments& arguments,
               const void* options, Layout layout, const char* variant, const char* strategy = "");

}  // namespace upsilon::conformance
