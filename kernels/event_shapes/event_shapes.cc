// Reference: the definitions, in plain loops over particles and pairs.
#include "lib/math/no_contraction.h"

#include "event_shapes/event_shapes.h"

#include "lib/kernel.h"
#include "event_shapes/event_shapes_call.h"
#include "event_shapes/shapes.h"

namespace upsilon {
namespace {

// Calls body(momentum, |p|, i) for the particles i of an event that are wanted.
template <class Momentum, class Wanted, class Body>
void each(int64_t begin, int64_t end, Momentum&& momentum, Wanted&& wanted, Body&& body) {
  for (int64_t i = begin; i < end; ++i)
    if (wanted(i)) body(momentum(i), length(momentum(i)), i);
}

// Brandt and Dahmen, Z. Phys. C 1 (1979) 61, searched as in basf2's Thrust.cc: the axis times the
// thrust.
template <class Momentum, class Wanted>
Vector3 thrust_of(int64_t begin, int64_t end, Momentum&& momentum, Wanted&& wanted) {
  double momentum_sum = 0, best = 0;
  Vector3 best_axis{0, 0, 0};
  each(begin, end, momentum, wanted, [&](const Vector3&, double magnitude, int64_t) { momentum_sum += magnitude; });
  each(begin, end, momentum, wanted, [&](const Vector3& start, double magnitude, int64_t) {
    Vector3 axis = direction(start.z >= 0 ? start : scaled(start, -1), magnitude);
    bool flipped = true;
    for (int step = 0; flipped && step < max_thrust_steps; ++step) {
      const Vector3 before = axis;
      axis = {0, 0, 0};
      each(begin, end, momentum, wanted, [&](const Vector3& p, double, int64_t) {
        const double sign = dot(p, before) >= 0 ? 1 : -1;
        axis = {axis.x + sign * p.x, axis.y + sign * p.y, axis.z + sign * p.z};
      });
      flipped = false;
      each(begin, end, momentum, wanted,
           [&](const Vector3& p, double, int64_t) { flipped = flipped || dot(p, axis) * dot(p, before) < 0; });
    }
    double along = 0;
    each(begin, end, momentum, wanted, [&](const Vector3& p, double, int64_t) { along += std::fabs(dot(p, axis)); });
    const double axis_length = length(axis), thrust = along / (momentum_sum * axis_length);
    if (thrust > best) {
      best = thrust;
      best_axis = scaled(axis, 1 / axis_length);
    }
  });
  return scaled(best_axis, best);
}

double legendre(int order, double z) {
  switch (order) {
    case 1: return z;
    case 2: return 1.5 * z * z - 0.5;
    case 3: return z * (2.5 * z * z - 1.5);
    case 4: return 4.375 * z * z * z * z - 3.75 * z * z + 0.375;
    default: return 1;
  }
}

double cosine(const Vector3& a, const Vector3& b) {
  const double lengths = length(a) * length(b);
  return lengths > 0 ? dot(a, b) / lengths : 0;
}

template <class T>
ups_status shapes_reference(const Call& call) {
  const EventShapes<T> f(call);
  for (int64_t event = 0; event < f.events; ++event) {
    const int64_t begin = f.offsets[event], end = f.offsets[event + 1];
    const auto momentum = [&](int64_t i) { return Vector3{f.p4[4 * i], f.p4[4 * i + 1], f.p4[4 * i + 2]}; };
    const auto rest = [&](int64_t i) { return (f.role[i] & 3) == 0; };
    const auto final_of_b = [&](int64_t i) { return (f.role[i] & 1) != 0; };
    const auto final_state = [&](int64_t i) { return rest(i) || final_of_b(i); };
    const auto signal = [&](int64_t i) { return (f.role[i] & f.signal_bit) != 0; };
    double y[shape_count] = {};

    const Vector3 thrust_axis_b = thrust_of(begin, end, momentum, final_of_b),
                  thrust_axis_o = thrust_of(begin, end, momentum, rest);
    y[thrust_b] = length(thrust_axis_b);
    y[thrust_o] = length(thrust_axis_o);
    y[cos_tbto] = std::min(1.0, std::fabs(cosine(thrust_axis_b, thrust_axis_o)));
    y[cos_tbz] = std::min(1.0, std::fabs(cosine(thrust_axis_b, {0, 0, 1})));

    double h0 = 0, h2 = 0;
    each(begin, end, momentum, final_state, [&](const Vector3& a, double a_length, int64_t) {
      each(begin, end, momentum, final_state, [&](const Vector3& b, double b_length, int64_t) {
        h0 += a_length * b_length;
        h2 += a_length * b_length * legendre(2, cosine(a, b));
      });
    });
    y[R2] = h0 > 0 ? h2 / h0 : 0;

    double missing_energy = f.cms_energy;
    Vector3 missing{0, 0, 0};
    each(
        begin, end, momentum, [&](int64_t i) { return rest(i) || signal(i); },
        [&](const Vector3& p, double, int64_t i) {
          y[et] += std::sqrt(p.x * p.x + p.y * p.y);
          missing_energy -= f.p4[4 * i + 3];
          missing = {missing.x - p.x, missing.y - p.y, missing.z - p.z};
        });
    const double missing_length = length(missing);
    y[mm2] = (missing_energy > 0 ? 1 : -1) * missing_energy * missing_energy - dot(missing, missing);

    const double largest = 2 * (f.cms_energy - f.energy[event]);
    each(begin, end, momentum, signal, [&](const Vector3& a, double a_length, int64_t) {
      if (!(a_length > 0)) return;
      for (int k = 0; k <= 4; k += 2) {
        each(begin, end, momentum, rest, [&](const Vector3& b, double b_length, int64_t j) {
          y[(f.charge[j] == 0 ? hso1 : hso0) + k / 2] += b_length * legendre(k, cosine(a, b)) / largest;
        });
        y[hso2 + k / 2] += missing_length * legendre(k, cosine(a, missing)) / largest;
      }
    });
    each(begin, end, momentum, rest, [&](const Vector3& a, double a_length, int64_t i) {
      for (int k = 0; k <= 4; ++k) {
        const auto weight = [&](int64_t j) { return k % 2 == 0 ? 1.0 : double(f.charge[i]) * double(f.charge[j]); };
        double sum = 0;
        each(begin, i, momentum, rest, [&](const Vector3& b, double b_length, int64_t j) {
          sum += weight(j) * a_length * b_length * legendre(k, cosine(a, b));
        });
        if (k % 2 == 0) sum += a_length * missing_length * legendre(k, cosine(a, missing));
        y[hoo + k] += sum / (largest * largest);
      }
    });
    each(
        begin, end, momentum, [&](int64_t i) { return f.cones_of_rest ? rest(i) : final_state(i); },
        [&](const Vector3& p, double p_length, int64_t) {
          y[cone + cone_of(std::fabs(cosine(p, thrust_axis_b)))] += p_length;
        });
    for (int v = 0; v < shape_count; ++v) f.y[v * f.events + event] = static_cast<T>(y[v]);
  }
  return UPS_OK;
}

template <class T>
ups_status thrust_reference(const Call& call) {
  const EventThrust<T> f(call);
  for (int64_t event = 0; event < f.events; ++event) {
    const Vector3 axis = thrust_of(
        f.offsets[event], f.offsets[event + 1],
        [&](int64_t i) { return Vector3{f.p[3 * i], f.p[3 * i + 1], f.p[3 * i + 2]}; }, [](int64_t) { return true; });
    f.y[3 * event] = static_cast<T>(axis.x);
    f.y[3 * event + 1] = static_cast<T>(axis.y);
    f.y[3 * event + 2] = static_cast<T>(axis.z);
  }
  return UPS_OK;
}

const OperationOf<EventShapesCall> shapes{{shapes_reference<float>}, {shapes_reference<double>}};
const OperationOf<ThrustCall> thrust{{thrust_reference<float>}, {thrust_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_event_shapes(ups_context* context, const ups_tensor* p4, const ups_tensor* charge,
                            const ups_tensor* role, const ups_tensor* offsets, const ups_tensor* energy, ups_tensor* y,
                            const ups_event_shapes_options* options) noexcept {
  return upsilon::call(context, upsilon::shapes, {p4, charge, role, offsets, energy, y}, options);
}

ups_status ups_thrust(ups_context* context, const ups_tensor* p, const ups_tensor* offsets, ups_tensor* y) noexcept {
  return upsilon::call(context, upsilon::thrust, {p, offsets, y}, nullptr);
}
