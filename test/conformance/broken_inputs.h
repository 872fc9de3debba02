// Calls that break a data rule must be refused, wherever they run.
#pragma once
#include "cases.h"
#include "invoke.h"

namespace upsilon::conformance {

// Breaks the rule of every argument that has one, one at a time. What is wrong with the answers; ""
// where nothing is.
std::string check_broken_inputs(ups_context* context, ups_device device, const ups_operation& operation, const Case& c,
                                const Arguments& arguments, const void* options, const char* variant);

}  // namespace upsilon::conformance
