// Checked calls of event_shapes and thrust, as plain numbers and pointers, and where the thirty variables stand.
#pragma once
#include "core/operation.h"
#include "event_shapes/event_shapes.h"

namespace upsilon {

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

  explicit EventShapes(const Call& call)
      : particles(call.dims[0]), events(call.dims[1]), p4(call.data<const T>(0)), charge(call.data<const T>(1)),
        role(call.data<const uint8_t>(2)), offsets(call.data<const int32_t>(3)), energy(call.data<const T>(4)),
        y(call.data<T>(5)) {
    const auto& options = call.option<ups_event_shapes_options>();
    signal_bit = options.signal == UPS_SIGNAL_DAUGHTERS ? 2 : 1;
    cones_of_rest = options.cones == UPS_CONES_REST;
    cms_energy = options.cms_energy;
  }
};

template <class T>
struct ThrustCall {
  int64_t particles, events;
  const T* p;
  const int32_t* offsets;
  T* y;

  explicit ThrustCall(const Call& call)
      : particles(call.dims[0]), events(call.dims[1]), p(call.data<const T>(0)), offsets(call.data<const int32_t>(1)),
        y(call.data<T>(2)) {}
};

}  // namespace upsilon
