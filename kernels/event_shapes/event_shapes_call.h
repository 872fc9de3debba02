// Checked calls of event_shapes and thrust, as plain numbers and pointers, and where the thirty
// variables stand.
#pragma once
#include "core/named_call.h"
#include "event_shapes/event_shapes.h"

namespace upsilon {

inline constexpr OperationLine event_shapes_line{"event_shapes", UPS_EVENT_SHAPES_SCHEMA};
using EventShapesCall = CallOf<event_shapes_line, ups_event_shapes_options>;
inline constexpr OperationLine thrust_line{"thrust", UPS_THRUST_SCHEMA};
using ThrustCall = CallOf<thrust_line>;

enum Shape { R2, thrust_b, thrust_o, cos_tbto, cos_tbz, et, mm2, hso0, hso1 = 10, hso2 = 13, hoo = 16, cone = 21 };
inline constexpr int shape_count = 30, cone_count = 9;

template <class T>
struct EventShapes {
  int64_t particles, events;
  const T *p4, *charge;
  const uint8_t* role;
  const int32_t* offsets;
  const T* energy;
  T* y;
  int32_t signal_bit;  // of role
  bool cones_of_rest;
  double cms_energy;

  explicit EventShapes(const EventShapesCall& call)
      : particles(call.dim("N")), events(call.dim("B")), p4(call["p4"]), charge(call["charge"]), role(call["role"]),
        offsets(call["offsets"]), energy(call["energy"]), y(call["y"]) {
    const auto& options = call.options();
    signal_bit = options.signal == UPS_SIGNAL_DAUGHTERS ? 2 : 1;
    cones_of_rest = options.cones == UPS_CONES_REST;
    cms_energy = options.cms_energy;
  }
};

template <class T>
struct EventThrust {
  int64_t particles, events;
  const T* p;
  const int32_t* offsets;
  T* y;

  explicit EventThrust(const ThrustCall& call)
      : particles(call.dim("N")), events(call.dim("B")), p(call["p"]), offsets(call["offsets"]), y(call["y"]) {}
};

}  // namespace upsilon
