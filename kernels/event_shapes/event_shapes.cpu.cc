// SIMD: thrust searches from several first axes at once, one in each float64 lane, so a lane does
// the reference's own arithmetic and the signs are the reference's. Moments are made of monomials
// (shapes.h), 22 to 57 products a particle instead of about 20 operations a pair. Floor:
// arithmetic, about 250 n + 16 n^2 (n^2 by lanes) operations for n particles and 3 steps; memory
// (21 bytes a particle) is never the limit.
#include "lib/math/no_contraction.h"

#include "event_shapes/event_shapes.h"
#include "event_shapes/event_shapes_call.h"
#include "event_shapes/shapes.h"

#define UPS_SIMD_SOURCE "event_shapes/event_shapes.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int wide_lanes = lanes / 2;
constexpr int64_t task_events = 32;
typedef double Doubles __attribute__((vector_size(UPS_LANES * 4)));
typedef int64_t Longs __attribute__((vector_size(UPS_LANES * 4)));

[[gnu::always_inline]] inline Doubles all(double value) { return value - Doubles{}; }
[[gnu::always_inline]] inline Doubles magnitude(Doubles v) { return v < Doubles{} ? -v : v; }
[[gnu::always_inline]] inline bool any(Longs mask) {
  int64_t joined = 0;
  for (int i = 0; i < wide_lanes; ++i) joined |= mask[i];
  return joined != 0;
}

struct Axes {
  Doubles x, y, z;
  [[gnu::always_inline]] Doubles along(double px, double py, double pz) const {
    return all(px) * x + all(py) * y + all(pz) * z;
  }
};
[[gnu::always_inline]] inline Axes chosen(Longs mask, const Axes& a, const Axes& b) {
  return {mask ? a.x : b.x, mask ? a.y : b.y, mask ? a.z : b.z};
}

// Momenta of a group of particles, component by component.
struct Momenta {
  double *x, *y, *z;
  int64_t count;
  Vector3 at(int64_t i) const { return {x[i], y[i], z[i]}; }
};

struct Thrust {
  Vector3 axis;
  double value;
};

Thrust find_thrust(const Momenta& p) {
  double momentum_sum = 0;
  for (int64_t i = 0; i < p.count; ++i) momentum_sum += length(p.at(i));
  Thrust best{{0, 0, 0}, 0};
  for (int64_t first = 0; first < p.count; first += wide_lanes) {
    const int64_t starts = std::min<int64_t>(wide_lanes, p.count - first);
    Axes before{}, axis{};
    for (int64_t k = 0; k < starts; ++k) {
      const Vector3 start = p.at(first + k);
      const Vector3 unit = direction(start.z >= 0 ? start : scaled(start, -1), length(start));
      before.x[k] = unit.x, before.y[k] = unit.y, before.z[k] = unit.z;
    }
    for (int64_t i = 0; i < p.count; ++i) {
      const Doubles sign = before.along(p.x[i], p.y[i], p.z[i]) >= Doubles{} ? all(1) : all(-1);
      axis.x += sign * p.x[i], axis.y += sign * p.y[i], axis.z += sign * p.z[i];
    }
    // One pass tells whether a sign flips from `before` to `axis`, and sums for the axis after it.
    Doubles along{};
    for (int step = 1;; ++step) {
      Axes next{};
      Longs flipped{};
      along = Doubles{};
      for (int64_t i = 0; i < p.count; ++i) {
        const Doubles now = axis.along(p.x[i], p.y[i], p.z[i]);
        flipped |= now * before.along(p.x[i], p.y[i], p.z[i]) < Doubles{};
        const Doubles sign = now >= Doubles{} ? all(1) : all(-1);
        next.x += sign * p.x[i], next.y += sign * p.y[i], next.z += sign * p.z[i];
        along += magnitude(now);
      }
      if (!any(flipped) || step == max_thrust_steps) break;
      before = chosen(flipped, axis, before);
      axis = chosen(flipped, next, axis);
    }
    for (int64_t k = 0; k < starts; ++k) {
      const Vector3 found{axis.x[k], axis.y[k], axis.z[k]};
      const double found_length = length(found), value = along[k] / (momentum_sum * found_length);
      if (value > best.value) best = {scaled(found, 1 / found_length), value};
    }
  }
  return best;
}

[[gnu::always_inline]] inline void add(double weight, const double* from, int count, double* to) {
  for (int i = 0; i < count; ++i) to[i] += weight * from[i];
}

// xx yy zz xy xz yz, then their products.
void even_monomials(const Vector3& n, double* m) {
  const double xx = n.x * n.x, yy = n.y * n.y, zz = n.z * n.z, xy = n.x * n.y, xz = n.x * n.z, yz = n.y * n.z;
  m[0] = 1;
  m[1] = xx, m[2] = yy, m[3] = zz, m[4] = xy, m[5] = xz, m[6] = yz;
  m[7] = xx * xx, m[8] = yy * yy, m[9] = zz * zz;
  m[10] = xx * xy, m[11] = xx * xz, m[12] = yy * xy, m[13] = yy * yz, m[14] = zz * xz, m[15] = zz * yz;
  m[16] = xx * yy, m[17] = xx * zz, m[18] = yy * zz, m[19] = xx * yz, m[20] = yy * xz, m[21] = zz * xy;
}
// Degrees 1 and 3.
void odd_monomials(const Vector3& n, double* m) {
  const double xx = n.x * n.x, yy = n.y * n.y, zz = n.z * n.z;
  m[0] = n.x, m[1] = n.y, m[2] = n.z;
  m[3] = xx * n.x, m[4] = yy * n.y, m[5] = zz * n.z;
  m[6] = xx * n.y, m[7] = xx * n.z, m[8] = yy * n.x, m[9] = yy * n.z, m[10] = zz * n.x, m[11] = zz * n.y;
  m[12] = n.x * n.y * n.z;
}

// sum_ij v_i w_j (n_i n_j)^k for k = 0, 2, 4, or k = 1, 3 in `first` and `second`; from it, the
// Legendre sums.
struct Powers {
  double zeroth, second, fourth;
  double legendre2() const { return 1.5 * second - 0.5 * zeroth; }
  double legendre4() const { return 4.375 * fourth - 3.75 * second + 0.375 * zeroth; }
};
struct OddPowers {
  double first, third;
  double legendre3() const { return 2.5 * third - 1.5 * first; }
};

Powers contract(const double* a, const double* b) {
  constexpr double multiplicity[even_count] = UPS_EVEN_MULTIPLICITIES;
  Powers sums{a[0] * b[0], 0, 0};
  for (int i = 1; i < 7; ++i) sums.second += multiplicity[i] * (a[i] * b[i]);
  for (int i = 7; i < even_count; ++i) sums.fourth += multiplicity[i] * (a[i] * b[i]);
  return sums;
}
OddPowers contract_odd(const double* a) {
  constexpr double multiplicity[odd_count] = UPS_ODD_MULTIPLICITIES;
  OddPowers sums{0, 0};
  for (int i = 0; i < 3; ++i) sums.first += a[i] * a[i];
  for (int i = 3; i < odd_count; ++i) sums.third += multiplicity[i] * (a[i] * a[i]);
  return sums;
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
void finish_moments(const ShapeSums& s, double largest, float* y, int64_t stride) {
  const auto put = [&](int v, double value) { y[v * stride] = static_cast<float>(value); };
  constexpr double multiplicity[even_count] = UPS_EVEN_MULTIPLICITIES;
  double flow2 = 0;
  for (int i = 0; i < 6; ++i) flow2 += multiplicity[1 + i] * (s.flow2[i] * s.flow2[i]);
  const double h0 = s.flow * s.flow;
  put(R2, h0 > 0 ? 1.5 * (flow2 / h0) - 0.5 : 0);
  put(et, s.transverse);
  const double missing2 = dot(s.missing, s.missing), missing_momentum = std::sqrt(missing2);
  put(mm2, missing_mass2(s.missing_energy, missing2));
  double missing[even_count], other[even_count];
  even_monomials(direction(s.missing, missing_momentum), missing);
  for (int i = 0; i < even_count; ++i) missing[i] *= missing_momentum;
  const auto put_signal = [&](int v, const double* rest) {
    const Powers sums = contract(s.signal, rest);
    put(v, sums.zeroth / largest);
    put(v + 1, sums.legendre2() / largest);
    put(v + 2, sums.legendre4() / largest);
  };
  put_signal(hso0, s.charged);
  put_signal(hso1, s.neutral);
  put_signal(hso2, missing);
  for (int i = 0; i < even_count; ++i) other[i] = s.charged[i] + s.neutral[i] + missing[i];
  const Powers even = contract(other, other);
  const OddPowers odd = contract_odd(s.charges);
  // Every pair once: half of all, without each particle's own, where every polynomial is 1.
  const double half = 0.5 / (largest * largest), own = s.squared + missing2;
  put(hoo, half * (even.zeroth - own));
  put(hoo + 1, half * (odd.first - s.charged_squared));
  put(hoo + 2, half * (even.legendre2() - own));
  put(hoo + 3, half * (odd.legendre3() - s.charged_squared));
  put(hoo + 4, half * (even.legendre4() - own));
}

void one_event(const EventShapes<float>& f, int64_t event, double* scratch) {
  const int64_t begin = f.offsets[event], end = f.offsets[event + 1], size = end - begin;
  ShapeSums s{};
  s.missing_energy = f.cms_energy;
  // The B's final state from the front, the rest from the back.
  Momenta all_momenta{scratch, scratch + size, scratch + 2 * size, size};
  int64_t of_b = 0, rest_begin = size;
  for (int64_t i = begin; i < end; ++i) {
    const Vector3 p{f.p4[4 * i], f.p4[4 * i + 1], f.p4[4 * i + 2]};
    const bool rest = (f.role[i] & 3) == 0, final_state = rest || (f.role[i] & 1) != 0;
    const bool signal = (f.role[i] & f.signal_bit) != 0;
    const double p_length = length(p);
    const Vector3 n = direction(p, p_length);
    double even[even_count];
    even_monomials(n, even);
    if (final_state) {
      const int64_t place = rest ? --rest_begin : of_b++;
      all_momenta.x[place] = p.x, all_momenta.y[place] = p.y, all_momenta.z[place] = p.z;
      s.flow += p_length;
      add(p_length, even + 1, 6, s.flow2);
    }
    if (rest || signal) {
      s.transverse += std::sqrt(p.x * p.x + p.y * p.y);
      s.missing_energy -= f.p4[4 * i + 3];
      s.missing = {s.missing.x - p.x, s.missing.y - p.y, s.missing.z - p.z};
    }
    if (rest) {
      const double charge = f.charge[i], charged_length = charge * p_length;
      add(p_length, even, even_count, charge == 0 ? s.neutral : s.charged);
      s.squared += p_length * p_length;
      if (charge != 0) {
        double odd[odd_count];
        odd_monomials(n, odd);
        add(charged_length, odd, odd_count, s.charges);
        s.charged_squared += charged_length * charged_length;
      }
    } else if (signal && p_length > 0) {
      add(1, even, even_count, s.signal);
    }
  }
  float* const y = f.y + event;
  const int64_t stride = f.events;
  finish_moments(s, 2 * (f.cms_energy - f.energy[event]), y, stride);

  // In the order of the particles, as the search for the thrust prefers earlier ones.
  for (double* component : {all_momenta.x, all_momenta.y, all_momenta.z})
    std::reverse(component + rest_begin, component + size);
  const Momenta b{all_momenta.x, all_momenta.y, all_momenta.z, of_b};
  const Momenta rest{all_momenta.x + rest_begin, all_momenta.y + rest_begin, all_momenta.z + rest_begin,
                     size - rest_begin};
  const Thrust thrust_of_b = find_thrust(b), thrust_of_rest = find_thrust(rest);
  y[thrust_b * stride] = static_cast<float>(thrust_of_b.value);
  y[thrust_o * stride] = static_cast<float>(thrust_of_rest.value);
  y[cos_tbto * stride] = static_cast<float>(std::min(1.0, std::fabs(dot(thrust_of_b.axis, thrust_of_rest.axis))));
  y[cos_tbz * stride] = static_cast<float>(std::min(1.0, std::fabs(thrust_of_b.axis.z)));

  double cones[cone_count] = {};
  const auto add_cones = [&](const Momenta& p) {
    for (int64_t i = 0; i < p.count; ++i) {
      const double p_length = length(p.at(i));
      const double cosine = p_length > 0 ? std::fabs(dot(p.at(i), thrust_of_b.axis)) / p_length : 0;
      cones[cone_of(cosine)] += p_length;
    }
  };
  if (!f.cones_of_rest) add_cones(b);
  add_cones(rest);
  for (int i = 0; i < cone_count; ++i) y[(cone + i) * stride] = static_cast<float>(cones[i]);
}

struct Scratch {
  double* momenta;  // an event's lie where its particles do
  template <class F>
  Scratch(const F& f, WorkspaceLayout& workspace) : momenta(workspace.reserve<double>(3 * f.particles)) {}
};

template <class Body>
void each_event(const Call& call, int64_t events, Body&& body) {
  call.threads->run(ceil_div(events, task_events), [&](int64_t task, int32_t) {
    const int64_t end = std::min(events, (task + 1) * task_events);
    for (int64_t event = task * task_events; event < end; ++event) body(event);
  });
}

ups_status shapes(const Call& call) {
  const EventShapes<float> f(call);
  double* const scratch = scratch_of<Scratch>(call, f).momenta;
  each_event(call, f.events, [&](int64_t event) { one_event(f, event, scratch + 3 * f.offsets[event]); });
  return UPS_OK;
}

ups_status thrusts(const Call& call) {
  const EventThrust<float> f(call);
  double* const scratch = scratch_of<Scratch>(call, f).momenta;
  each_event(call, f.events, [&](int64_t event) {
    const int64_t begin = f.offsets[event], size = f.offsets[event + 1] - begin;
    double* const own = scratch + 3 * begin;
    const Momenta p{own, own + size, own + 2 * size, size};
    for (int64_t i = 0; i < size; ++i)
      p.x[i] = f.p[3 * (begin + i)], p.y[i] = f.p[3 * (begin + i) + 1], p.z[i] = f.p[3 * (begin + i) + 2];
    const Thrust found = find_thrust(p);
    const Vector3 axis = scaled(found.axis, found.value);
    float* const y = f.y + 3 * event;
    y[0] = static_cast<float>(axis.x), y[1] = static_cast<float>(axis.y), y[2] = static_cast<float>(axis.z);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(shapes, EventShapesCall, shapes, workspace_of<EventShapes<float>, Scratch>)
UPS_CPU_VARIANT(thrusts, ThrustCall, thrusts, workspace_of<EventThrust<float>, Scratch>)

UPS_SIMD_END
