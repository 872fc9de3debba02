// Checked calls of object_condensation, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "object_condensation/object_condensation.h"

namespace upsilon {

inline constexpr OperationLine object_condensation_forward_line{"object_condensation_forward",
                                                                UPS_OBJECT_CONDENSATION_FORWARD_SCHEMA};
using ObjectCondensationForwardCall = CallOf<object_condensation_forward_line, ups_object_condensation_options>;
inline constexpr OperationLine object_condensation_backward_line{"object_condensation_backward",
                                                                 UPS_OBJECT_CONDENSATION_BACKWARD_SCHEMA};
using ObjectCondensationBackwardCall = CallOf<object_condensation_backward_line, ups_object_condensation_options>;

template <class T>
struct Condensation {
  int64_t hits, dimensions, events;
  const T *beta, *x;
  const int32_t *object_ids, *offsets;
  int32_t convention;
  T q_min, radius;

  template <NamedCall Named>
  explicit Condensation(const Named& call)
      : hits(call.dim("N")), dimensions(call.dim("D")), events(call.dim("B")), beta(call["beta"]), x(call["x"]),
        object_ids(call["object_ids"]), offsets(call["offsets"]) {
    const auto& options = call.options();
    convention = options.convention;
    q_min = options.q_min;
    radius = options.radius;
  }
};

template <class T>
struct CondensationForward : Condensation<T> {
  T* y;
  explicit CondensationForward(const ObjectCondensationForwardCall& call) : Condensation<T>(call), y(call["y"]) {}
};

template <class T>
struct CondensationBackward : Condensation<T> {
  const T* dy;
  T *dbeta, *dx;  // null where not wanted
  explicit CondensationBackward(const ObjectCondensationBackwardCall& call)
      : Condensation<T>(call), dy(call["dy"]), dbeta(call["dbeta"]), dx(call["dx"]) {}
};

}  // namespace upsilon
