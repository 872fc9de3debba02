// Is a result as good as it has to be?
//
// The oracle is the float64 reference on the same (float32) inputs, the yardstick the float32
// reference: a variant's error may be twice the yardstick's (three times for gradients, outputs
// named d...), plus the case's floor. Two errors count: the relative L2 norm, and the largest
// deviation relative to the largest number. NaN and infinities stand where the oracle has them;
// integers are equal.
#pragma once
#include "host_tensor.h"

namespace upsilon::conformance {

struct Errors {
  double l2 = 0, max = 0;
  int64_t worst = -1;  // the element with the largest deviation
  int64_t different_kind = -1;  // the first element that is NaN or infinite in one of the two only
};

Errors errors(const HostTensor& found, const HostTensor& oracle);
// The first element whose bits differ, -1 when none does. NaN equals NaN, whatever its payload.
int64_t first_difference(const HostTensor& a, const HostTensor& b);

}  // namespace upsilon::conformance
