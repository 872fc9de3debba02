// A checked call of roc, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/kernel.h"
#include "roc/roc.h"

namespace upsilon {

inline constexpr OperationLine roc_line{"roc", UPS_ROC_SCHEMA};
using RocCall = CallOf<roc_line>;

template <class T>
struct Roc {
  int64_t elements, wanted;  // wanted efficiencies
  const T *scores, *weights;
  const uint8_t* labels;
  const double* efficiencies;
  double *auc, *false_positive, *true_positive, *thresholds, *rejection, *cut;

  explicit Roc(const RocCall& call)
      : elements(call.dim("N")), wanted(call.given("efficiencies") ? call.dim("K") : 0), scores(call["scores"]),
        weights(call["weights"]), labels(call["labels"]), efficiencies(call["efficiencies"]), auc(call["auc"]),
        false_positive(call["false_positive"]), true_positive(call["true_positive"]), thresholds(call["thresholds"]),
        rejection(call["rejection"]), cut(call["cut"]) {}
};

}  // namespace upsilon
