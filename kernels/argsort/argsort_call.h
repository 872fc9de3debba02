// A checked call of argsort, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "argsort/argsort.h"
#include "lib/kernel.h"

namespace upsilon {

inline constexpr OperationLine argsort_line{"argsort", UPS_ARGSORT_SCHEMA};
using ArgsortCall = CallOf<argsort_line, ups_argsort_options>;
inline constexpr OperationLine argsort_integers_line{"argsort_integers", UPS_ARGSORT_INTEGERS_SCHEMA};
using ArgsortIntegersCall = CallOf<argsort_integers_line, ups_argsort_options>;

template <class T>
struct Argsort {
  int64_t elements, sets;
  const T* keys;
  const int32_t* offsets;
  int32_t* order;
  bool descending;

  using Named = std::conditional_t<std::is_same_v<T, int32_t>, ArgsortIntegersCall, ArgsortCall>;
  explicit Argsort(const Named& call)
      : elements(call.dim("N")), sets(call.dim("B")), keys(call["keys"]), offsets(call["offsets"]),
        order(call["order"]), descending(call.options().descending != 0) {}
};

}  // namespace upsilon
