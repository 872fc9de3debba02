// Calls that pooling with weights refuses.
#pragma once
#include "core/validity.h"
#include "lib/segments/pool.h"

namespace upsilon {

// What is wrong with weights where the pool is max or min: an extreme of weighted rows could be the
// largest row or the largest product.
template <class Named>
std::string weighted_extreme_text(const RefusalOf<Named>& refuse) {
  return "is given but " + named("pool") + " is " + refuse.option_text("pool") + " (expected sum or mean)";
}

}  // namespace upsilon
