// The mathematics that the SIMD and the CUDA variant share. Sums over pairs of particles are not
// made over pairs: for unit vectors a and b, (a b)^k is the product of their k-th tensor powers, so
// that
//   sum_ij v_i w_j (n_i n_j)^k = (sum_i v_i n_i^k) : (sum_j w_j n_j^k)
// needs the monomials of degree k of every particle once. A Legendre polynomial is a sum of such
// powers.
#pragma once
#include <cmath>
#include <cstdint>

#include "lib/math/philox.h"

namespace upsilon {

// A float64 product that is rounded before anything is added to it: whether a momentum lies on this
// or that side of an axis must not depend on the instruction set.
UPS_HD inline double rounded(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

struct Vector3 {
  double x, y, z;
};
UPS_HD inline double dot(const Vector3& a, const Vector3& b) {
  return rounded(a.x, b.x) + rounded(a.y, b.y) + rounded(a.z, b.z);
}
UPS_HD inline double length(const Vector3& v) { return std::sqrt(dot(v, v)); }
UPS_HD inline Vector3 scaled(const Vector3& v, double by) {
  return {rounded(v.x, by), rounded(v.y, by), rounded(v.z, by)};
}
UPS_HD inline Vector3 direction(const Vector3& v, double magnitude) {
  return magnitude > 0 ? scaled(v, 1 / magnitude) : Vector3{0, 0, 0};
}

// Signs flip from one axis to the next until the sum is as long as it gets; every step makes it
// longer, so it ends, and rounding errors are not followed beyond this many.
inline constexpr int max_thrust_steps = 100;

// Monomials of degrees 0, 2 and 4, and of degrees 1 and 3, in the order of their multiplicities:
// how often each stands in the full tensor.
inline constexpr int even_count = 22, odd_count = 13;
#define UPS_EVEN_MULTIPLICITIES {1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 4, 4, 4, 4, 4, 4, 6, 6, 6, 12, 12, 12}
#define UPS_ODD_MULTIPLICITIES {1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 6}

// Which of the nine double cones of 10 degrees round the axis. An edge belongs to the outer cone,
// and what basf2's float32 angle cannot tell from it, 2e-6 degrees, too.
UPS_HD inline int cone_of(double absolute_cosine) {
  constexpr double edges[8] = {0.9848077590736724, 0.9396926327246631, 0.8660254212377306, 0.766044465556498,
                               0.6427876364265345, 0.5000000302299892, 0.3420201761271289, 0.17364821204320582};
  int found = 0;
  for (int i = 0; i < 8; ++i) found += absolute_cosine <= edges[i];
  return found;
}

// Squared missing mass; a missing energy below 0 counts as E^2 below 0 (KsfwMoments.cc).
UPS_HD inline double missing_mass2(double missing_energy, double missing_momentum2) {
  const double square = missing_energy * missing_energy;
  return (missing_energy > 0 ? square : -square) - missing_momentum2;
}

}  // namespace upsilon
