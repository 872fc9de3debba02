// A checked call of condense, as plain numbers and pointers.
#pragma once
#include "condense/condense.h"
#include "core/operation.h"

namespace upsilon {

template <class T>
struct Condense {
  int64_t hits, dimensions, events;
  const T *beta, *x;
  const int32_t* offsets;
  int32_t *clusters, *points, *counts;
  T t_beta, t_d2;  // the radius squared

  explicit Condense(const Call& call)
      : hits(call.dims[0]), dimensions(call.dims[1]), events(call.dims[2]), beta(call.data<const T>(0)),
        x(call.data<const T>(1)), offsets(call.data<const int32_t>(2)), clusters(call.data<int32_t>(3)),
        points(call.data<int32_t>(4)), counts(call.data<int32_t>(5)) {
    const auto& options = call.option<ups_condense_options>();
    t_beta = options.t_beta;
    t_d2 = options.t_d < 0 ? T(-1) : T(options.t_d) * T(options.t_d);
  }
};

}  // namespace upsilon
