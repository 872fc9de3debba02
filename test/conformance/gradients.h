// Finite differences against the reference's backward pass, in float64.
#pragma once
#include "cases.h"

namespace upsilon::conformance {

struct GradientCheck {
  int64_t elements = 0;  // derivatives compared
  int64_t kinks = 0;     // of these at a kink, where any value between the one-sided derivatives is right
  std::string failure;
};

// The forward pass of "<op>_backward", null when there is none or the name has another end.
const ups_operation* forward_of(const ups_operation& operation);

// The loss is the sum of the forward pass's outputs weighted by the backward pass's inputs
// d<output>; each output d<input> of the backward pass is compared with central differences, for at
// most 64 random elements a tensor.
GradientCheck check_gradient(const Case& c, const ups_operation& forward, const ups_operation& backward,
                             ups_context* reference);

}  // namespace upsilon::conformance
