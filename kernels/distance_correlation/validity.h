// What both forms of the distance correlation refuse.
#pragma once
#include "core/validity.h"
#include "distance_correlation/distance_correlation.h"

namespace upsilon {

// The unbiased estimator is one of elements that all count the same.
template <class Named>
void refuse_weights_of_unbiased(const Named& call, RefusalOf<Named>& refuse) {
  if (call.given("weights") && call.options().estimator != UPS_DISTANCE_BIASED)
    refuse("weights", "is given but " + named("estimator") + " is unbiased (expected biased)");
}

// Backward.
template <class Named>
void validate_weight_gradients(const Named& call, RefusalOf<Named>& refuse) {
  refuse_weights_of_unbiased(call, refuse);
  refuse.given_without("dweights", "weights");
}

}  // namespace upsilon
