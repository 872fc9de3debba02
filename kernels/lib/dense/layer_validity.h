// Calls that operations with a list of layers refuse.
#pragma once
#include "core/validity.h"

namespace upsilon {

// Layers are given from 0 on without gaps, and a bias only with its weight. `row`: of tables of
// layers.
template <class Named>
void refuse_gaps_of_layers(RefusalOf<Named>& refuse, ArgumentListName<Named::operation> weights,
                           ArgumentListName<Named::operation> biases, int row = 0) {
  for (int l = 1; l < weights.places.columns; ++l) refuse.place_given_without(weights, row, l, weights, row, l - 1);
  refuse.each_given_without(biases, weights, row);
}

// The layers of one network, forward and backward.
template <class Named>
void validate_layers(const Named&, RefusalOf<Named>& refuse) {
  refuse_gaps_of_layers(refuse, "weight#", "bias#");
}
template <class Named>
void validate_layer_gradients(const Named& call, RefusalOf<Named>& refuse) {
  validate_layers(call, refuse);
  refuse.each_given_without("dweight#", "weight#");
  refuse.each_given_without("dbias#", "weight#");
}

}  // namespace upsilon
