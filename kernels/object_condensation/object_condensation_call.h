// Checked calls of object_condensation, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "object_condensation/object_condensation.h"

namespace upsilon {

template <class T>
struct Condensation {
  int64_t hits, dimensions, events;
  const T *beta, *x;
  const int32_t *object_ids, *offsets;
  int32_t convention;
  T q_min, radius;

  explicit Condensation(const Call& call)
      : hits(call.dims[0]), dimensions(call.dims[1]), events(call.dims[2]), beta(call.data<const T>(0)),
        x(call.data<const T>(1)), object_ids(call.data<const int32_t>(2)), offsets(call.data<const int32_t>(3)) {
    const auto& options = call.option<ups_object_condensation_options>();
    convention = options.convention;
    q_min = options.q_min;
    radius = options.radius;
  }
};

template <class T>
struct CondensationForward : Condensation<T> {
  T* y;
  explicit CondensationForward(const Call& call) : Condensation<T>(call), y(call.data<T>(4)) {}
};

template <class T>
struct CondensationBackward : Condensation<T> {
  const T* dy;
  T *dbeta, *dx;  // null where not wanted
  explicit CondensationBackward(const Call& call)
      : Condensation<T>(call), dy(call.data<const T>(4)), dbeta(call.data<T>(5)), dx(call.data<T>(6)) {}
};

}  // namespace upsilon
