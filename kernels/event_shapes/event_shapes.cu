// CUDA: a warp has an event. Its lanes are the first axes of the thrust search, then the monomials
// of the moments, then the cones; each walks the particles, which all lanes read together, from
// cache after the first time. Floor: arithmetic in float64, about 16 n^2 operations of thrust
// search for n particles, spread over min(n, 32) lanes.
#include "lib/math/no_contraction.h"

#include "lib/cuda/cuda.h"

#include "event_shapes/event_shapes_call.h"
#include "event_shapes/shapes.h"

namespace upsilon {
namespace {

// Every `stride`-th float is the next particle's momentum.
struct Particles {
  const float* momenta;
  int32_t stride;
  const uint8_t* role;  // null: all are of one group

  UPS_ON_DEVICE Vector3 at(int64_t i) const {
    const float* const p = momenta + i * stride;
    return {p[0], p[1], p[2]};
  }
  UPS_ON_DEVICE bool of_b(int64_t i) const { return !role || (role[i] & 1) != 0; }
  UPS_ON_DEVICE bool rest(int64_t i) const { return (role[i] & 3) == 0; }
};

struct Thrust {
  Vector3 axis;
  double value;
};

UPS_ON_DEVICE void add_signed(Vector3& sum, const Vector3& p, bool positive) {
  sum.x += positive ? p.x : -p.x;
  sum.y += positive ? p.y : -p.y;
  sum.z += positive ? p.z : -p.z;
}

// From one first axis, as far as it goes; `value` is not yet divided by the sum of all |p|.
template <class Member>
UPS_ON_DEVICE Thrust climb(const Particles& particles, int64_t begin, int64_t end, Member member, int64_t start) {
  const Vector3 first = particles.at(start);
  Vector3 before = direction(first.z >= 0 ? first : scaled(first, -1), length(first)), axis{0, 0, 0};
  for (int64_t i = begin; i < end; ++i)
    if (member(i)) add_signed(axis, particles.at(i), dot(particles.at(i), before) >= 0);
  double along = 0;
  for (int step = 1;; ++step) {
    Vector3 next{0, 0, 0};
    bool flipped = false;
    along = 0;
    for (int64_t i = begin; i < end; ++i) {
      if (!member(i)) continue;
      const Vector3 p = particles.at(i);
      const double now = dot(p, axis);
      flipped = flipped || rounded(now, dot(p, before)) < 0;
      add_signed(next, p, now >= 0);
      along += std::fabs(now);
    }
    if (!flipped || step == max_thrust_steps) break;
    before = axis;
    axis = next;
  }
  const double axis_length = length(axis);
  return {scaled(axis, 1 / axis_length), along / axis_length};
}

// The whole warp's: the largest, of equal ones that of the earliest particle.
template <class Member>
UPS_ON_DEVICE Thrust find_thrust(const Particles& particles, int64_t begin, int64_t end, Member member) {
  const auto warp = ups::Tile<32>::here();
  double momentum_sum = 0;
  for (int64_t i = begin; i < end; ++i)
    if (member(i)) momentum_sum += length(particles.at(i));
  Thrust best{{0, 0, 0}, 0};
  int64_t best_start = end;
  for (int64_t start = begin + warp.rank; start < end; start += 32) {
    if (!member(start)) continue;
    Thrust found = climb(particles, begin, end, member, start);
    found.value /= momentum_sum;
    if (found.value > best.value) best = found, best_start = start;
  }
  int32_t winner = warp.rank;
  for (int32_t distance = 16; distance > 0; distance /= 2) {
    const double value = warp.shfl_xor(best.value, distance);
    const int64_t start = warp.shfl_xor(best_start, distance);
    const int32_t lane = warp.shfl_xor(winner, distance);
    if (value > best.value || (value == best.value && start < best_start))
      best.value = value, best_start = start, winner = lane;
  }
  best.axis = {warp.shfl(best.axis.x, winner), warp.shfl(best.axis.y, winner), warp.shfl(best.axis.z, winner)};
  return best;
}

template <int threads>
UPS_KERNEL_LB(threads)
thrusts(const int32_t* fault, EventThrust<float> f) {
  if (*fault != 0) return;
  const Particles particles{f.p, 3, nullptr};
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t event = global_thread() / 32; event < f.events; event += global_threads() / 32) {
    const Thrust found = find_thrust(particles, f.offsets[event], f.offsets[event + 1], [](int64_t) { return true; });
    const double component = lane == 0 ? found.axis.x : lane == 1 ? found.axis.y : found.axis.z;
    if (lane < 3) f.y[3 * event + lane] = static_cast<float>(rounded(component, found.value));
  }
}

// What a lane sums up: one even and one odd monomial, by their exponents, and its part in the sums
// of Legendre polynomials: how often the monomial stands in the tensor times the coefficient of its
// degree.
struct Monomials {
  int32_t even_x, even_y, even_z, odd_x, odd_y, odd_z;
  double in_0, in_2, in_4, in_1, in_3;
};
UPS_ON_DEVICE double power(double base, int32_t exponent) {
  double result = 1;
  for (int32_t i = 0; i < exponent; ++i) result *= base;
  return result;
}
UPS_ON_DEVICE Monomials monomials_of(int lane) {
  // Exponents in the order of shapes.h, as decimal digits xyz.
  constexpr int32_t even[even_count] = {0,   200, 20, 2,   110, 101, 11,  400, 40,  4,   310,
                                        301, 130, 31, 103, 13,  220, 202, 22,  211, 121, 112};
  constexpr int32_t odd[odd_count] = {100, 10, 1, 300, 30, 3, 210, 201, 120, 21, 102, 12, 111};
  constexpr int32_t even_multiplicity[even_count] = UPS_EVEN_MULTIPLICITIES;
  constexpr int32_t odd_multiplicity[odd_count] = UPS_ODD_MULTIPLICITIES;
  int32_t of_even = 0, of_odd = 0, times_even = 0, times_odd = 0;  // by selection: arrays would go to local memory
  UPS_UNROLL
  for (int i = 0; i < even_count; ++i)
    if (i == lane) of_even = even[i], times_even = even_multiplicity[i];
  UPS_UNROLL
  for (int i = 0; i < odd_count; ++i)
    if (i == lane) of_odd = odd[i], times_odd = odd_multiplicity[i];
  Monomials m{
      of_even / 100, of_even / 10 % 10, of_even % 10, of_odd / 100, of_odd / 10 % 10, of_odd % 10, 0, 0, 0, 0, 0};
  const int32_t degree = m.even_x + m.even_y + m.even_z, odd_degree = m.odd_x + m.odd_y + m.odd_z;
  m.in_0 = degree == 0 ? times_even : 0;
  m.in_2 = times_even * (degree == 0 ? -0.5 : degree == 2 ? 1.5 : 0);
  m.in_4 = times_even * (degree == 0 ? 0.375 : degree == 2 ? -3.75 : 4.375);
  m.in_1 = odd_degree == 1 ? times_odd : 0;
  m.in_3 = times_odd * (odd_degree == 1 ? -1.5 : 2.5);
  return m;
}
UPS_ON_DEVICE double even_monomial(const Monomials& m, const Vector3& n) {
  return power(n.x, m.even_x) * power(n.y, m.even_y) * power(n.z, m.even_z);
}
UPS_ON_DEVICE double odd_monomial(const Monomials& m, const Vector3& n) {
  return power(n.x, m.odd_x) * power(n.y, m.odd_y) * power(n.z, m.odd_z);
}

// The moments of one event, from what the lanes have summed; all lanes take part, the first one
// writes.
struct LaneSums {
  double transverse, missing_energy, squared, charged_squared, flow;  // the same in all lanes
  Vector3 missing;
  double flow2, signal, charged, neutral, charges;  // of the lane's monomials
};
UPS_ON_DEVICE void finish_moments(const LaneSums& s, const Monomials& own, double largest, float* y, int64_t stride) {
  const auto warp = ups::Tile<32>::here();
  const auto put = [&](int v, double value) {
    if (warp.rank == 0) y[v * stride] = static_cast<float>(value);
  };
  const double h0 = s.flow * s.flow, h2 = warp.sum(own.in_2 * (s.flow2 * s.flow2));
  put(R2, h0 > 0 ? h2 / h0 : 0);
  put(et, s.transverse);
  const double missing2 = dot(s.missing, s.missing), missing_momentum = std::sqrt(missing2);
  put(mm2, missing_mass2(s.missing_energy, missing2));
  const double missing = missing_momentum * even_monomial(own, direction(s.missing, missing_momentum));
  const auto put_signal = [&](int v, double rest) {
    const double product = s.signal * rest;
    const double order0 = warp.sum(own.in_0 * product), order2 = warp.sum(own.in_2 * product),
                 order4 = warp.sum(own.in_4 * product);
    put(v, order0 / largest);
    put(v + 1, order2 / largest);
    put(v + 2, order4 / largest);
  };
  put_signal(hso0, s.charged);
  put_signal(hso1, s.neutral);
  put_signal(hso2, missing);
  // Every pair once: half of all, without each particle's own, where every polynomial is 1.
  const double other = s.charged + s.neutral + missing, square = other * other, odd_square = s.charges * s.charges;
  const double half = 0.5 / (largest * largest), squared = s.squared + missing2;
  const double order0 = warp.sum(own.in_0 * square), order1 = warp.sum(own.in_1 * odd_square),
               order2 = warp.sum(own.in_2 * square), order3 = warp.sum(own.in_3 * odd_square),
               order4 = warp.sum(own.in_4 * square);
  put(hoo, half * (order0 - squared));
  put(hoo + 1, half * (order1 - s.charged_squared));
  put(hoo + 2, half * (order2 - squared));
  put(hoo + 3, half * (order3 - s.charged_squared));
  put(hoo + 4, half * (order4 - squared));
}

template <int threads>
UPS_KERNEL_LB(threads)
shapes(const int32_t* fault, EventShapes<float> f) {
  if (*fault != 0) return;
  const auto warp = ups::Tile<32>::here();
  const int lane = warp.rank;
  const Particles particles{f.p4, 4, f.role};
  const Monomials own = monomials_of(lane);
  for (int64_t event = global_thread() / 32; event < f.events; event += global_threads() / 32) {
    const int64_t begin = f.offsets[event], end = f.offsets[event + 1];
    LaneSums s{};
    s.missing_energy = f.cms_energy;
    for (int64_t i = begin; i < end; ++i) {
      const bool rest = particles.rest(i), final_state = rest || particles.of_b(i);
      const bool of_signal = (f.role[i] & f.signal_bit) != 0;
      const Vector3 p = particles.at(i);
      const double p_length = length(p);
      const Vector3 n = direction(p, p_length);
      const double even = even_monomial(own, n);
      if (final_state) s.flow += p_length, s.flow2 += p_length * even;
      if (rest || of_signal) {
        s.transverse += std::sqrt(p.x * p.x + p.y * p.y);
        s.missing_energy -= f.p4[4 * i + 3];
        s.missing = {s.missing.x - p.x, s.missing.y - p.y, s.missing.z - p.z};
      }
      if (rest) {
        const double charge = f.charge[i], charged_length = charge * p_length;
        (charge == 0 ? s.neutral : s.charged) += p_length * even;
        s.charges += charged_length * odd_monomial(own, n);
        s.squared += p_length * p_length;
        s.charged_squared += charged_length * charged_length;
      } else if (of_signal && p_length > 0) {
        s.signal += even;
      }
    }
    float* const y = f.y + event;
    finish_moments(s, own, 2 * (f.cms_energy - f.energy[event]), y, f.events);

    const Thrust of_b = find_thrust(particles, begin, end, [&](int64_t i) { return particles.of_b(i); });
    const Thrust of_rest = find_thrust(particles, begin, end, [&](int64_t i) { return particles.rest(i); });
    double flow_in_cone = 0;
    for (int64_t i = begin; i < end; ++i) {
      const bool rest = particles.rest(i);
      if (!rest && (f.cones_of_rest || !particles.of_b(i))) continue;
      const Vector3 p = particles.at(i);
      const double p_length = length(p);
      const double cosine = p_length > 0 ? std::fabs(dot(p, of_b.axis)) / p_length : 0;
      if (cone_of(cosine) == lane) flow_in_cone += p_length;
    }
    if (lane < cone_count) y[(cone + lane) * f.events] = static_cast<float>(flow_in_cone);
    if (lane == 0) {
      y[thrust_b * f.events] = static_cast<float>(of_b.value);
      y[thrust_o * f.events] = static_cast<float>(of_rest.value);
      y[cos_tbto * f.events] = static_cast<float>(std::fmin(1.0, std::fabs(dot(of_b.axis, of_rest.axis))));
      y[cos_tbz * f.events] = static_cast<float>(std::fmin(1.0, std::fabs(of_b.axis.z)));
    }
  }
}

ups_status run_shapes(const Call& call) {
  const EventShapes<float> f(call);
  Launcher launch(call);
  launch.elements(shapes<block_threads>, 32 * f.events, f);
  return launch.status();
}

ups_status run_thrusts(const Call& call) {
  const EventThrust<float> f(call);
  Launcher launch(call);
  launch.elements(thrusts<block_threads>, 32 * f.events, f);
  return launch.status();
}

UPS_CUDA_VARIANT(shapes_entry, EventShapesCall, run_shapes)
UPS_CUDA_VARIANT(thrusts_entry, ThrustCall, run_thrusts)

}  // namespace
}  // namespace upsilon
