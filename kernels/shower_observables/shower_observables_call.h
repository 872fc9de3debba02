// A checked call of shower_observables, as plain numbers and pointers.
#pragma once
#include <cmath>

#include "lib/math/philox.h"
#include "core/named_call.h"
#include "shower_observables/shower_observables.h"

namespace upsilon {

inline constexpr OperationLine shower_observables_line{"shower_observables", UPS_SHOWER_OBSERVABLES_SCHEMA};
using ShowerObservablesCall = CallOf<shower_observables_line, ups_shower_observables_options>;

inline constexpr int64_t max_bins = 256;

template <class T>
struct ShowerObservables {
  int64_t showers, layers, height, width, rings, bins;
  const T *cells, *axis;  // axis: or null
  T* energy;              // this and what follows: or null
  int32_t* hits;
  T *longitudinal, *centre, *radial;
  int32_t* spectrum;
  double threshold, rings_per_cell, lowest, highest;

  explicit ShowerObservables(const ShowerObservablesCall& call)
      : showers(call.dim("B")), layers(call.dim("Z")), height(call.dim("Y")), width(call.dim("X")),
        rings(call.dim("R")), bins(call.dim("S")), cells(call["showers"]), axis(call["axis"]), energy(call["energy"]),
        hits(call["hits"]), longitudinal(call["longitudinal"]), centre(call["centre"]), radial(call["radial"]),
        spectrum(call["spectrum"]) {
    const auto& options = call.options();
    threshold = options.threshold;
    rings_per_cell = 1 / options.ring_width;
    lowest = options.lowest;
    highest = options.highest;
  }
  double edge(int64_t s) const {
    return lowest * std::pow(highest / lowest, static_cast<double>(s) / static_cast<double>(bins));
  }
};

// A float64 product that is rounded before anything is added to it: in which ring a cell is must
// not depend on the device.
UPS_HD inline double rounded_product(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// Squared, in units of rings.
UPS_HD inline double squared_distance(double y, double x, double rings_per_cell) {
  y = rounded_product(y, rings_per_cell);
  x = rounded_product(x, rings_per_cell);
  return rounded_product(y, y) + rounded_product(x, x);
}
UPS_HD inline bool is_in_ring(double distance2, int64_t r) {
  const double inner = static_cast<double>(r), outer = static_cast<double>(r + 1);
  return distance2 >= rounded_product(inner, inner) && distance2 < rounded_product(outer, outer);
}

// The smallest float that is not below `bound`: a float is below the one when it is below the
// other.
inline float float_bound(double bound) {
  const float narrow = static_cast<float>(bound);
  return narrow < bound ? std::nextafterf(narrow, INFINITY) : narrow;
}

}  // namespace upsilon
