// A checked call of roc, as plain numbers and pointers.
#pragma once
#include "lib/kernel.h"
#include "roc/roc.h"

namespace upsilon {

template <class T>
struct Roc {
  int64_t elements, wanted;  // wanted efficiencies
  const T *scores, *weights;
  const uint8_t* labels;
  const double* efficiencies;
  double *auc, *false_positive, *true_positive, *thresholds, *rejection, *cut;

  explicit Roc(const Call& call)
      : elements(call.dims[0]), wanted(call.given(3) ? call.dims[1] : 0), scores(call.data<const T>(0)),
        weights(call.data<const T>(2)), labels(call.data<const uint8_t>(1)), efficiencies(call.data<const double>(3)),
        auc(call.data<double>(4)), false_positive(call.data<double>(5)), true_positive(call.data<double>(6)),
        thresholds(call.data<double>(7)), rejection(call.data<double>(8)), cut(call.data<double>(9)) {}
};

// There is nothing to look for without efficiencies.
inline bool roc_supports(const Call& call) { return call.given(3) || (!call.given(8) && !call.given(9)); }

}  // namespace upsilon
