// A checked call of condense, as plain numbers and pointers.
#pragma once
#include "condense/condense.h"
#include "core/named_call.h"

namespace upsilon {

inline constexpr OperationLine condense_line{"condense", UPS_CONDENSE_SCHEMA};
using CondenseCall = CallOf<condense_line, ups_condense_options>;

template <class T>
struct Condense {
  int64_t hits, dimensions, events;
  const T *beta, *x;
  const int32_t* offsets;
  int32_t *clusters, *points, *counts;
  T t_beta, t_d2;  // the radius squared

  explicit Condense(const CondenseCall& call)
      : hits(call.dim("N")), dimensions(call.dim("D")), events(call.dim("B")), beta(call["beta"]), x(call["x"]),
        offsets(call["offsets"]), clusters(call["clusters"]), points(call["points"]), counts(call["counts"]) {
    const auto& options = call.options();
    t_beta = options.t_beta;
    t_d2 = options.t_d < 0 ? T(-1) : T(options.t_d) * T(options.t_d);
  }
};

}  // namespace upsilon
