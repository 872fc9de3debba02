// Pairs of four-momenta as pair_features.h defines them, in float64. Plain functions: the
// reference, the gradients of all variants and CUDA share them.
#pragma once
#include <cmath>
#include <cstdint>

#if !defined(UPS_HD)
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

inline constexpr int64_t pair_columns_of_momenta = 4, pair_feature_count = 4;

UPS_HD inline double at_least(double value, double least) { return value < least ? least : value; }

// The numbers of a particle that pairs need.
struct Kinematics {
  double pt, rapidity, azimuth, px, py, pz, energy;
};

UPS_HD inline Kinematics sum_of(const Kinematics& a, const Kinematics& b) {
  return {a.pt + b.pt, a.rapidity + b.rapidity, a.azimuth + b.azimuth, a.px + b.px, a.py + b.py,
          a.pz + b.pz, a.energy + b.energy};
}

inline constexpr double min_light_cone = 1e-20;

template <class T>
UPS_HD Kinematics kinematics_of(const T* momentum) {
  Kinematics k{};
  k.px = momentum[0], k.py = momentum[1], k.pz = momentum[2], k.energy = momentum[3];
  k.pt = std::sqrt(k.px * k.px + k.py * k.py);
  k.azimuth = std::atan2(k.py, k.px);
  k.rapidity = 0.5 * std::log(at_least(k.energy + k.pz, min_light_cone) / at_least(k.energy - k.pz, min_light_cone));
  return k;
}

// The arguments of a pair's logarithms, before the lower limits are applied.
struct PairQuantities {
  double rapidity, azimuth;  // differences
  double distance2, smaller, sum, mass2;

  UPS_HD PairQuantities(const Kinematics& a, const Kinematics& b) {
    constexpr double pi = 3.14159265358979323846;
    rapidity = a.rapidity - b.rapidity;
    azimuth = a.azimuth - b.azimuth;
    if (azimuth > pi) azimuth -= 2 * pi;
    if (azimuth < -pi) azimuth += 2 * pi;
    distance2 = rapidity * rapidity + azimuth * azimuth;
    smaller = a.pt < b.pt ? a.pt : b.pt;
    sum = a.pt + b.pt;
    const double px = a.px + b.px, py = a.py + b.py, pz = a.pz + b.pz, energy = a.energy + b.energy;
    mass2 = energy * energy - (px * px + py * py + pz * pz);
  }
};

template <class T>
UPS_HD void pair_features(const Kinematics& a, const Kinematics& b, double eps, T* features) {
  const PairQuantities pair(a, b);
  const double distance = std::sqrt(pair.distance2);
  features[0] = static_cast<T>(std::log(at_least(pair.smaller * distance, eps)));
  features[1] = static_cast<T>(std::log(at_least(pair.smaller / at_least(pair.sum, eps), eps)));
  features[2] = static_cast<T>(std::log(at_least(distance, eps)));
  features[3] = static_cast<T>(std::log(at_least(pair.mass2, eps)));
}

// Adds to `to` the gradient with respect to particle a of a pair whose features have the gradient
// g.
UPS_HD inline void add_pair_gradient(const Kinematics& a, const Kinematics& b, double eps, const double (&g)[4],
                                     Kinematics& to) {
  const PairQuantities pair(a, b);
  const double distance = std::sqrt(pair.distance2);
  const double share = a.pt < b.pt ? 1.0 : a.pt == b.pt ? 0.5 : 0.0;  // of the smaller pT
  double by_log_distance = 0, by_log_smaller = 0;
  if (pair.smaller * distance >= eps) {
    by_log_distance += g[0];
    by_log_smaller += g[0];
  }
  if (pair.smaller / at_least(pair.sum, eps) >= eps) {
    by_log_smaller += g[1];
    if (pair.sum >= eps) to.pt -= g[1] / pair.sum;
  }
  if (distance >= eps) by_log_distance += g[2];
  if (by_log_smaller != 0 && pair.smaller > 0) to.pt += by_log_smaller * share / pair.smaller;
  if (by_log_distance != 0 && pair.distance2 > 0) {
    to.rapidity += by_log_distance * pair.rapidity / pair.distance2;
    to.azimuth += by_log_distance * pair.azimuth / pair.distance2;
  }
  if (pair.mass2 >= eps) {
    const double scale = 2 * g[3] / pair.mass2;
    to.energy += scale * (a.energy + b.energy);
    to.px -= scale * (a.px + b.px);
    to.py -= scale * (a.py + b.py);
    to.pz -= scale * (a.pz + b.pz);
  }
}

// Turns the gradient with respect to a particle's kinematics into that with respect to its
// momentum.
template <class T>
UPS_HD void momentum_gradient(const Kinematics& k, const Kinematics& g, T* to) {
  double px = g.px, py = g.py;
  if (k.pt > 0) {
    px += (g.pt * k.px - g.azimuth * k.py / k.pt) / k.pt;
    py += (g.pt * k.py + g.azimuth * k.px / k.pt) / k.pt;
  }
  const double plus = k.energy + k.pz, minus = k.energy - k.pz;
  const double by_plus = plus >= min_light_cone ? 0.5 * g.rapidity / plus : 0.0;
  const double by_minus = minus >= min_light_cone ? 0.5 * g.rapidity / minus : 0.0;
  to[0] = static_cast<T>(px);
  to[1] = static_cast<T>(py);
  to[2] = static_cast<T>(g.pz + by_plus + by_minus);
  to[3] = static_cast<T>(g.energy + by_plus - by_minus);
}

}  // namespace upsilon
