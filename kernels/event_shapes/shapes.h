// The mathematics that the SIMD and the CUDA variant share. Sums over pairs of particles are not made over pairs: for
// unit vectors a and b, (a b)^k is the product of their k-th tensor powers, so that
//   sum_ij v_i w_j (n_i n_j)^k = (sum_i v_i n_i^k) : (sum_j w_j n_j^k)
// needs the monomials of degree k of every particle once. A Legendre polynomial is a sum of such powers.
#pragma once
#include <cmath>
#include <cstdint>

#include "common/philox.h"

namespace upsilon {

// A float64 product that is rounded before anything is added to it: whether a momentum lies on this or that side of an
// axis must not depend on the instruction set.
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

// Signs flip from one axis to the next until the sum is as long as it gets; every step makes it longer, so it ends, and
// rounding errors are not followed beyond this many.
inline constexpr int most_thrust_steps = 100;

// Monomials of degrees 0, 2 and 4: where each begins, and how often each stands in the full tensor.
inline constexpr int even_count = 22, odd_count = 13;
#define UPS_EVEN_MULTIPLICITIES {1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 4, 4, 4, 4, 4, 4, 6, 6, 6, 12, 12, 12}
#define UPS_ODD_MULTIPLICITIES {1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 6}

UPS_HD inline void even_monomials(const Vector3& n, double* m) {
  const double xx = n.x * n.x, yy = n.y * n.y, zz = n.z * n.z, xy = n.x * n.y, xz = n.x * n.z, yz = n.y * n.z;
  m[0] = 1;
  m[1] = xx, m[2] = yy, m[3] = zz, m[4] = xy, m[5] = xz, m[6] = yz;
  m[7] = xx * xx, m[8] = yy * yy, m[9] = zz * zz;
  m[10] = xx * xy, m[11] = xx * xz, m[12] = yy * xy, m[13] = yy * yz, m[14] = zz * xz, m[15] = zz * yz;
  m[16] = xx * yy, m[17] = xx * zz, m[18] = yy * zz, m[19] = xx * yz, m[20] = yy * xz, m[21] = zz * xy;
}
// Degrees 1 and 3.
UPS_HD inline void odd_monomials(const Vector3& n, double* m) {
  const double xx = n.x * n.x, yy = n.y * n.y, zz = n.z * n.z;
  m[0] = n.x, m[1] = n.y, m[2] = n.z;
  m[3] = xx * n.x, m[4] = yy * n.y, m[5] = zz * n.z;
  m[6] = xx * n.y, m[7] = xx * n.z, m[8] = yy * n.x, m[9] = yy * n.z, m[10] = zz * n.x, m[11] = zz * n.y;
  m[12] = n.x * n.y * n.z;
}

// sum_ij v_i w_j (n_i n_j)^k for k = 0, 2, 4, or k = 1, 3 in `first` and `second`; from it, the Legendre sums.
struct Powers {
  double zeroth, second, fourth;
  UPS_HD double legendre2() const { return 1.5 * second - 0.5 * zeroth; }
  UPS_HD double legendre4() const { return 4.375 * fourth - 3.75 * second + 0.375 * zeroth; }
};
struct OddPowers {
  double first, third;
  UPS_HD double legendre3() const { return 2.5 * third - 1.5 * first; }
};

UPS_HD inline Powers contract(const double* a, const double* b) {
  constexpr double multiplicity[even_count] = UPS_EVEN_MULTIPLICITIES;
  Powers sums{a[0] * b[0], 0, 0};
  for (int i = 1; i < 7; ++i) sums.second += multiplicity[i] * (a[i] * b[i]);
  for (int i = 7; i < even_count; ++i) sums.fourth += multiplicity[i] * (a[i] * b[i]);
  return sums;
}
UPS_HD inline OddPowers contract_odd(const double* a) {
  constexpr double multiplicity[odd_count] = UPS_ODD_MULTIPLICITIES;
  OddPowers sums{0, 0};
  for (int i = 0; i < 3; ++i) sums.first += a[i] * a[i];
  for (int i = 3; i < odd_count; ++i) sums.third += multiplicity[i] * (a[i] * a[i]);
  return sums;
}

// Which of the nine double cones of 10 degrees round the axis: the larger cosine of an edge belongs to the inner one.
UPS_HD inline int cone_of(double absolute_cosine) {
  constexpr double edges[8] = {0.98480775301220806, 0.93969262078590838, 0.86602540378443865, 0.76604444311897804,
                               0.64278760968653933, 0.5,                 0.34202014332566873, 0.17364817766693035};
  int found = 0;
  for (int i = 0; i < 8; ++i) found += absolute_cosine <= edges[i];
  return found;
}

// Squared missing mass; a missing energy below 0 counts as E^2 below 0 (KsfwMoments.cc).
UPS_HD inline double missing_mass2(double missing_energy, double missing_momentum2) {
  const double square = missing_energy * missing_energy;
  return (missing_energy > 0 ? square : -square) - missing_momentum2;
}

// What an event's sums amount to.
struct ShapeSums {
  double transverse, missing_energy;                // of signal side and rest
  Vector3 missing;                                  //
  double squared, charged_squared;                  // of the rest: p^2, q^2 p^2
  double flow, flow2[6];                            // of all final-state particles: |p|, |p| n n
  double signal[even_count];                        // n^k
  double charged[even_count], neutral[even_count];  // of the rest: |p| n^k
  double charges[odd_count];                        // of the rest: q |p| n^k
};

// Everything but thrusts, angles and cones, into the column y[v * stride].
template <class T>
UPS_HD void finish_moments(const ShapeSums& s, double largest, T* y, int64_t stride) {
  const auto put = [&](int v, double value) { y[v * stride] = static_cast<T>(value); };
  constexpr double multiplicity[even_count] = UPS_EVEN_MULTIPLICITIES;
  double flow2 = 0;
  for (int i = 0; i < 6; ++i) flow2 += multiplicity[1 + i] * (s.flow2[i] * s.flow2[i]);
  const double h0 = s.flow * s.flow;
  put(0, h0 > 0 ? 1.5 * (flow2 / h0) - 0.5 : 0);
  put(5, s.transverse);
  const double missing2 = dot(s.missing, s.missing), missing_momentum = std::sqrt(missing2);
  put(6, missing_mass2(s.missing_energy, missing2));
  double missing[even_count], other[even_count];
  even_monomials(direction(s.missing, missing_momentum), missing);
  for (int i = 0; i < even_count; ++i) missing[i] *= missing_momentum;
  const auto put_signal = [&](int v, const double* rest) {
    const Powers sums = contract(s.signal, rest);
    put(v, sums.zeroth / largest);
    put(v + 1, sums.legendre2() / largest);
    put(v + 2, sums.legendre4() / largest);
  };
  put_signal(7, s.charged);
  put_signal(10, s.neutral);
  put_signal(13, missing);
  for (int i = 0; i < even_count; ++i) other[i] = s.charged[i] + s.neutral[i] + missing[i];
  const Powers even = contract(other, other);
  const OddPowers odd = contract_odd(s.charges);
  // Every pair once: half of all, without each particle's own, where every polynomial is 1.
  const double half = 0.5 / (largest * largest), own = s.squared + missing2;
  put(16, half * (even.zeroth - own));
  put(17, half * (odd.first - s.charged_squared));
  put(18, half * (even.legendre2() - own));
  put(19, half * (odd.legendre3() - s.charged_squared));
  put(20, half * (even.legendre4() - own));
}

}  // namespace upsilon
