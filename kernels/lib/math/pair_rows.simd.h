// The features of a particle with many others, lanes across the others: pair_features.h in float64
// vectors.
#if defined(UPS_LIB_MATH_PAIR_ROWS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_MATH_PAIR_ROWS_SIMD_H
#undef UPS_LIB_MATH_PAIR_ROWS_SIMD_H
#else
#define UPS_LIB_MATH_PAIR_ROWS_SIMD_H
#endif

#include "lib/math/pair_kinematics.h"
#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

typedef double PairDoubles __attribute__((vector_size(UPS_LANES * 4)));
typedef int64_t PairLongs __attribute__((vector_size(UPS_LANES * 4)));
constexpr int pair_lanes = UPS_LANES / 2;

// ln x for normal x > 0, to 1e-10. x = 2^e m with m in sqrt(1/2) to sqrt 2; ln m = 2 artanh((m - 1)
// / (m + 1)), whose series ends with the eleventh power: what follows is below 0.1716^13 / 13.
[[gnu::always_inline]] inline PairDoubles natural_logarithm(PairDoubles x) {
  PairLongs bits;
  std::memcpy(&bits, &x, sizeof bits);
  const PairLongs above = bits - 0x3fe6a09e667f3bcd;  // the bits of sqrt(1/2)
  const PairLongs biased = (above >> 52) + 0x4338000000000000;  // 1.5 * 2^52: to double by subtraction
  PairDoubles exponent;
  std::memcpy(&exponent, &biased, sizeof exponent);
  exponent = exponent - 6755399441055744.0;
  const PairLongs mantissa = bits - ((above >> 52) << 52);
  PairDoubles m;
  std::memcpy(&m, &mantissa, sizeof m);
  const PairDoubles s = (m - 1.0) / (m + 1.0), s2 = s * s;
  PairDoubles p = s2 * (1.0 / 11) + 1.0 / 9;
  p = p * s2 + 1.0 / 7;
  p = p * s2 + 1.0 / 5;
  p = p * s2 + 1.0 / 3;
  p = p * s2 + 1.0;
  return exponent * 0.69314718055994530942 + 2.0 * s * p;
}

// Kinematics, column by column; as many more numbers as a vector has may be read behind each.
struct KinematicColumns {
  double *pt, *rapidity, *azimuth, *px, *py, *pz, *energy;

  KinematicColumns(int64_t particles, WorkspaceLayout& workspace) {
    for (double** column : {&pt, &rapidity, &azimuth, &px, &py, &pz, &energy})
      *column = workspace.reserve<double>(particles + pair_lanes);
  }
  void set(int64_t i, const Kinematics& k) const {
    pt[i] = k.pt, rapidity[i] = k.rapidity, azimuth[i] = k.azimuth;
    px[i] = k.px, py[i] = k.py, pz[i] = k.pz, energy[i] = k.energy;
  }
  Kinematics get(int64_t i) const { return {pt[i], rapidity[i], azimuth[i], px[i], py[i], pz[i], energy[i]}; }
  // Of all particles, and of none behind the last.
  void compute(Threads& threads, const float* momenta, int64_t particles) const {
    constexpr int64_t task_particles = 256;
    threads.run(ceil_div(particles + pair_lanes, task_particles), [&](int64_t task, int32_t) {
      const int64_t end = std::min(particles + pair_lanes, (task + 1) * task_particles);
      for (int64_t i = task * task_particles; i < end; ++i)
        set(i, i < particles ? kinematics_of(momenta + i * pair_columns_of_momenta) : Kinematics{});
    });
  }
};

// features[r] = those of particle a with particle first + r, r < count.
inline void pair_feature_row(const KinematicColumns& all, const Kinematics& a, int64_t first, int64_t count, double eps,
                             float* features) {
  constexpr double pi = 3.14159265358979323846;
  const auto read = [&](const double* from) {
    PairDoubles v;
    std::memcpy(&v, from, sizeof v);
    return v;
  };
  const PairDoubles least = eps - PairDoubles{}, least2 = eps * eps - PairDoubles{};
  const auto at_least = [](PairDoubles v, PairDoubles bound) { return v < bound ? bound : v; };
  for (int64_t r = 0; r < count; r += pair_lanes) {
    const int64_t j = first + r, here = std::min<int64_t>(pair_lanes, count - r);
    const PairDoubles rapidity = a.rapidity - read(all.rapidity + j);
    PairDoubles azimuth = a.azimuth - read(all.azimuth + j);
    azimuth = azimuth > pi ? azimuth - 2 * pi : azimuth;
    azimuth = azimuth < -pi ? azimuth + 2 * pi : azimuth;
    const PairDoubles distance2 = rapidity * rapidity + azimuth * azimuth, pt = read(all.pt + j);
    const PairDoubles own = a.pt - PairDoubles{}, smaller = own < pt ? own : pt;
    const PairDoubles px = a.px + read(all.px + j), py = a.py + read(all.py + j), pz = a.pz + read(all.pz + j);
    const PairDoubles energy = a.energy + read(all.energy + j);
    const PairDoubles mass2 = energy * energy - (px * px + py * py + pz * pz);
    // Half the logarithm of a square replaces the logarithm of a root.
    const PairDoubles of_pair[pair_feature_count] = {
        0.5 * natural_logarithm(at_least(smaller * smaller * distance2, least2)),
        natural_logarithm(at_least(smaller / at_least(own + pt, least), least)),
        0.5 * natural_logarithm(at_least(distance2, least2)), natural_logarithm(at_least(mass2, least))};
    float* const to = features + r * pair_feature_count;
    for (int64_t lane = 0; lane < here; ++lane)
      for (int64_t c = 0; c < pair_feature_count; ++c)
        to[lane * pair_feature_count + c] = static_cast<float>(of_pair[c][lane]);
  }
}

UPS_SIMD_END

#endif
