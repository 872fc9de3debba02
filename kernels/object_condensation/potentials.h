// Charges and potentials of the three conventions, one hit or pair at a time.
#pragma once
#include <cmath>
#include <cstdint>

#include "lib/math/philox.h"
#include "object_condensation/object_condensation.h"

namespace upsilon {

// The square and the slope against it, so that a distance of 0 divides nothing.
template <class T>
struct Potential {
  T value, slope;
};

// The largest float32 below 1, which has a finite charge: a sigmoid in float32 gives 1 from 17 on.
inline constexpr double largest_beta = 1 - 0x1p-24;
inline constexpr double cat_finder_epsilon = 1e-7, cms_pepr_shift = 1e-5, cms_pepr_huber = 4;

template <class T>
UPS_HD inline Potential<T> attraction(int32_t convention, T distance2) {
  if (convention == UPS_CONDENSATION_OBJECT_CONDENSATION) return {distance2, T(1)};
  if (convention == UPS_CONDENSATION_CAT_FINDER) return {distance2 + T(cat_finder_epsilon), T(1)};
  constexpr T delta = T(cms_pepr_huber);
  const T d = std::sqrt(distance2), t = d + T(cms_pepr_shift), inverse = d > 0 ? 1 / d : T(0);
  return t <= delta ? Potential<T>{t * t, t * inverse} : Potential<T>{2 * delta * (t - delta), delta * inverse};
}

template <class T>
UPS_HD inline Potential<T> repulsion(int32_t convention, T distance2, T radius) {
  if (convention == UPS_CONDENSATION_CMS_PEPR) {
    const T value = std::exp(-4 * distance2);
    return {value, -4 * value};
  }
  const T d = std::sqrt(convention == UPS_CONDENSATION_CAT_FINDER ? distance2 + T(cat_finder_epsilon) : distance2);
  if (!(d < radius)) return {T(0), T(0)};
  return {radius - d, d > 0 ? T(-0.5) / d : T(0)};
}

// beta as the charge sees it, and how that moves with beta.
template <class T>
UPS_HD inline Potential<T> seen(int32_t convention, T beta) {
  if (convention == UPS_CONDENSATION_OBJECT_CONDENSATION) {
    constexpr T most = T(largest_beta);
    return beta > most ? Potential<T>{most, T(0)} : beta < -most ? Potential<T>{-most, T(0)} : Potential<T>{beta, T(1)};
  }
  const bool cat_finder = convention == UPS_CONDENSATION_CAT_FINDER;
  const T most = T(1) - (cat_finder ? T(1e-7) : T(1e-4)), scale = cat_finder ? T(1) : T(1 / 1.002);
  if (beta < 0) return {T(0), T(0)};
  return beta > most ? Potential<T>{most * scale, T(0)} : Potential<T>{beta * scale, scale};
}

// The charge from a = atanh of what is seen, and its slope against beta.
template <class T>
UPS_HD inline T charge(int32_t convention, T a, T q_min) {
  return (convention == UPS_CONDENSATION_CAT_FINDER ? a : a * a) + q_min;
}
template <class T>
UPS_HD inline T charge_slope(int32_t convention, T a, const Potential<T>& of) {
  const T slope = of.slope / ((1 - of.value) * (1 + of.value));
  return of.slope == 0 ? T(0) : convention == UPS_CONDENSATION_CAT_FINDER ? slope : 2 * a * slope;
}

// a_k and r_k, for an object of `own` hits among the `objects` of an event of `hits`.
template <class T>
UPS_HD inline T attraction_weight(int32_t convention, int64_t hits, int64_t own, int64_t objects) {
  return T(1) / (convention == UPS_CONDENSATION_OBJECT_CONDENSATION ? T(objects) * T(own) : T(hits));
}
template <class T>
UPS_HD inline T repulsion_weight(int32_t convention, int64_t hits, int64_t own, int64_t objects) {
  if (hits == own) return T(0);
  return T(1) / (convention == UPS_CONDENSATION_OBJECT_CONDENSATION ? T(objects) * T(hits - own) : T(hits));
}
template <class T>
UPS_HD inline T noise_weight(int32_t convention, int64_t noise) {
  if (noise == 0) return T(0);
  return T(1) / (T(noise) + (convention == UPS_CONDENSATION_CAT_FINDER ? T(1e-7) : T(0)));
}

}  // namespace upsilon
