// SIMD: hits lie across the vectors, coordinates of an event side by side; one pass over the
// event's hits per object. Floor: arithmetic, 3 D + 8 operations for each hit and object forward
// (an exponential more for cmsPepr), 6 D + 14 backward; an event of a thousand hits stays in L1 or
// L2.
#include "object_condensation/object_condensation.h"
#include "lib/math/normal.h"
#include "object_condensation/object_condensation_call.h"
#include "object_condensation/potentials.h"

#define UPS_SIMD_SOURCE "object_condensation/object_condensation.cpu.cc"
#include "lib/math/activation.h"
#include "lib/simd/each_isa.h"
#include "lib/simd/elementary.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_hits = 512;

struct Pairing {
  Floats value, slope;  // of a potential, against the squared distance
};

template <int32_t convention>
[[gnu::always_inline]] inline Pairing attraction_of(Floats distance2) {
  const Floats one = broadcast(1.0f);
  if constexpr (convention == UPS_CONDENSATION_OBJECT_CONDENSATION) return {distance2, one};
  if constexpr (convention == UPS_CONDENSATION_CAT_FINDER)
    return {distance2 + broadcast(static_cast<float>(cat_finder_epsilon)), one};
  const Floats delta = broadcast(static_cast<float>(cms_pepr_huber));
  const Floats d = sqrt(distance2), t = d + broadcast(static_cast<float>(cms_pepr_shift));
  const Floats inverse = d > zero() ? one / d : zero();
  const Ints near = t <= delta;
  return {near ? t * t : broadcast(2.0f) * delta * (t - delta), (near ? t : delta) * inverse};
}

template <int32_t convention>
[[gnu::always_inline]] inline Pairing repulsion_of(Floats distance2, Floats radius) {
  if constexpr (convention == UPS_CONDENSATION_CMS_PEPR) {
    const Floats value = exp(broadcast(-4.0f) * distance2);
    return {value, broadcast(-4.0f) * value};
  }
  if constexpr (convention == UPS_CONDENSATION_CAT_FINDER)
    distance2 += broadcast(static_cast<float>(cat_finder_epsilon));
  const Floats d = sqrt(distance2);
  const Ints near = d < radius;
  return {near ? radius - d : zero(), near & (d > zero()) ? broadcast(-0.5f) / d : zero()};
}

// atanh b = log1p(u) / 2 with u = 2 b / (1 - b); log1p(u) = u log(y) / (y - 1) with y = 1 + u as
// rounded, so that small b lose nothing (Kahan).
inline float atanh_of(float b) {
  if (!(b > -0.9999999f && b < 0.9999999f)) return std::atanh(b);
  const float u = 2 * b / (1 - b), y = 1 + u;
  return 0.5f * (y == 1 ? u : log_of(y) * u / (y - 1));
}

// What an event's hits have in scratch, one element each, or one for every coordinate.
struct Scratch {
  int64_t* keys;  // sorted by object, then by hit
  int32_t *object, *point, *size;  // of a hit: its object's number or -1; of an object: its point and size
  float *charge, *dcharge, *x, *dx;  // coordinate d of hit i at x[d * hits + i]
  float* sums;  // a vector for every dimension
  double* terms;  // four for every event

  Scratch(const CondensationForward<float>& f, WorkspaceLayout& workspace) : Scratch(f, false, workspace) {}
  Scratch(const CondensationBackward<float>& f, WorkspaceLayout& workspace) : Scratch(f, true, workspace) {}

 private:
  Scratch(const Condensation<float>& f, bool backward, WorkspaceLayout& workspace) {
    keys = workspace.reserve<int64_t>(f.hits);
    object = workspace.reserve<int32_t>(f.hits);
    point = workspace.reserve<int32_t>(f.hits);
    size = workspace.reserve<int32_t>(f.hits);
    charge = workspace.reserve<float>(f.hits);
    x = workspace.reserve<float>(f.hits * f.dimensions);
    dcharge = workspace.reserve<float>(backward ? f.hits : 0);
    dx = workspace.reserve<float>(backward ? f.hits * f.dimensions : 0);
    sums = workspace.reserve<float>(backward ? f.events * f.dimensions * lanes : 0);
    terms = workspace.reserve<double>(backward ? 0 : 4 * f.events);
  }
};

// One event's part of it, filled.
struct Event {
  int64_t begin, hits, objects = 0, noise = 0;
  const float* beta;
  int32_t *object, *point, *size;
  float *charge, *dcharge, *x, *dx;

  // Not inlined, so that its sort is compiled once for both directions.
  [[gnu::noinline]] Event(const Condensation<float>& f, const Scratch& s, int64_t number)
      : begin(f.offsets[number]), hits(f.offsets[number + 1] - begin), beta(f.beta + begin), object(s.object + begin),
        point(s.point + begin), size(s.size + begin), charge(s.charge + begin), dcharge(s.dcharge + begin),
        x(s.x + begin * f.dimensions), dx(s.dx + begin * f.dimensions) {
    find_objects(f.object_ids + begin, s.keys + begin);
    for (int64_t i = 0; i < hits; ++i) {
      charge[i] = upsilon::charge(f.convention, atanh_of(seen(f.convention, beta[i]).value), f.q_min);
      for (int64_t d = 0; d < f.dimensions; ++d) x[d * hits + i] = f.x[(begin + i) * f.dimensions + d];
    }
  }
  void find_objects(const int32_t* ids, int64_t* keys) {
    int64_t count = 0;
    for (int64_t i = 0; i < hits; ++i) {
      object[i] = -1;
      if (ids[i] > 0) keys[count++] = static_cast<int64_t>(ids[i]) << 32 | i;
      else ++noise;
    }
    std::sort(keys, keys + count);
    for (int64_t k = 0; k < count; ++k) {
      const auto hit = static_cast<int32_t>(keys[k] & 0xffffffff);
      if (k == 0 || keys[k] >> 32 != keys[k - 1] >> 32) {
        point[objects] = hit;
        size[objects++] = 0;
      }
      const int64_t own = objects - 1;
      object[hit] = static_cast<int32_t>(own);
      ++size[own];
      if (beta[hit] > beta[point[own]]) point[own] = hit;
    }
  }
  [[gnu::always_inline]] Ints is_own(int64_t i, int64_t here, int64_t own) const {
    const Floats bits = load_some(reinterpret_cast<const float*>(object + i), here);
    Ints numbers;
    std::memcpy(&numbers, &bits, sizeof numbers);
    return numbers == Ints{} + static_cast<int32_t>(own);
  }
  [[gnu::always_inline]] Floats distance2(int64_t i, int64_t here, int64_t from, int64_t dimensions) const {
    Floats sum = zero();
    for (int64_t d = 0; d < dimensions; ++d) {
      const Floats difference = load_some(x + d * hits + i, here) - broadcast(x[d * hits + from]);
      sum += difference * difference;
    }
    return sum;
  }
};

inline double wide_sum(Floats v) {
  double total = 0;
  for (int i = 0; i < lanes; ++i) total += static_cast<double>(v[i]);
  return total;
}

// Calls body(event) for all events. Tasks are windows of the hits (and events, as empty ones take
// time too): a task has the events that begin in it.
template <class Body>
void each_event(const Call& call, const Condensation<float>& f, Body&& body) {
  const auto place = [&](int64_t event) { return f.offsets[event] - f.offsets[0] + event; };
  call.threads->run(ceil_div(place(f.events), task_hits), [&](int64_t task, int32_t) {
    int64_t low = 0, high = f.events;  // the first event that begins in the window
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (place(middle) >= task * task_hits) high = middle;
      else low = middle + 1;
    }
    for (int64_t event = low; event < f.events && place(event) < (task + 1) * task_hits; ++event) body(event);
  });
}

template <int32_t convention>
void forward_event(const Condensation<float>& f, const Event& e, double* terms) {
  std::fill_n(terms, 4, 0.0);
  for (int64_t k = 0; k < e.objects; ++k) {
    const int64_t point = e.point[k];
    Floats attractive = zero(), repulsive = zero();
    each_vector(e.hits, [&](int64_t i, int64_t here) {
      const Floats distance2 = e.distance2(i, here, point, f.dimensions), charge = load_some(e.charge + i, here);
      const Ints own = e.is_own(i, here, k);
      attractive += own ? charge * attraction_of<convention>(distance2).value : zero();
      repulsive += own ? zero() : charge * repulsion_of<convention>(distance2, broadcast(f.radius)).value;
    });
    const double point_charge = e.charge[point];
    terms[0] +=
        wide_sum(attractive) * point_charge * attraction_weight<double>(convention, e.hits, e.size[k], e.objects);
    terms[1] += wide_sum(repulsive) * point_charge * repulsion_weight<double>(convention, e.hits, e.size[k], e.objects);
    terms[2] += (1.0 - static_cast<double>(e.beta[point])) / static_cast<double>(e.objects);
  }
  for (int64_t i = 0; i < e.hits; ++i)
    if (e.object[i] < 0) terms[3] += e.beta[i];
  terms[3] *= noise_weight<double>(convention, e.noise);
}

template <int32_t convention>
void backward_event(const CondensationBackward<float>& f, const Event& e, float* sums) {
  const int64_t hits = e.hits, dimensions = f.dimensions;
  float dy[4];
  for (int term = 0; term < 4; ++term) dy[term] = f.dy[term] / static_cast<float>(f.events);
  std::fill_n(e.dcharge, hits, 0.0f);
  std::fill_n(e.dx, hits * dimensions, 0.0f);
  for (int64_t k = 0; k < e.objects; ++k) {
    const int64_t point = e.point[k];
    const Floats point_charge = broadcast(e.charge[point]);
    const Floats attract = broadcast(dy[0] * attraction_weight<float>(convention, hits, e.size[k], e.objects)),
                 repel = broadcast(dy[1] * repulsion_weight<float>(convention, hits, e.size[k], e.objects));
    std::fill_n(sums, dimensions * lanes, 0.0f);
    Floats of_point = zero();
    each_vector(hits, [&](int64_t i, int64_t here) {
      const Floats distance2 = e.distance2(i, here, point, dimensions), charge = load_some(e.charge + i, here);
      const Ints own = e.is_own(i, here, k);
      const Pairing attraction = attraction_of<convention>(distance2),
                    repulsion = repulsion_of<convention>(distance2, broadcast(f.radius));
      const Floats value = own ? attract * attraction.value : repel * repulsion.value;
      const Floats slope = own ? attract * attraction.slope : repel * repulsion.slope;
      store_some(e.dcharge + i, load_some(e.dcharge + i, here) + point_charge * value, here);
      of_point += charge * value;
      const Floats pull = broadcast(2.0f) * charge * point_charge * slope;
      for (int64_t d = 0; d < dimensions; ++d) {
        const float* const x = e.x + d * hits;
        float* const dx = e.dx + d * hits + i;
        const Floats part = pull * (load_some(x + i, here) - broadcast(x[point]));
        store_some(dx, load_some(dx, here) + part, here);
        store(sums + d * lanes, load(sums + d * lanes) + part);
      }
    });
    e.dcharge[point] += static_cast<float>(wide_sum(of_point));
    for (int64_t d = 0; d < dimensions; ++d)
      e.dx[d * hits + point] -= static_cast<float>(wide_sum(load(sums + d * lanes)));
  }
  if (f.dbeta) {
    const float of_noise = dy[3] * noise_weight<float>(convention, e.noise);
    float* const dbeta = f.dbeta + e.begin;
    for (int64_t i = 0; i < hits; ++i) {
      const Potential<float> of = seen(convention, e.beta[i]);
      dbeta[i] = e.dcharge[i] * charge_slope(convention, atanh_of(of.value), of) + (e.object[i] < 0 ? of_noise : 0);
    }
    for (int64_t k = 0; k < e.objects; ++k) dbeta[e.point[k]] -= dy[2] / static_cast<float>(e.objects);
  }
  if (f.dx) {
    for (int64_t i = 0; i < hits; ++i)
      for (int64_t d = 0; d < dimensions; ++d) f.dx[(e.begin + i) * dimensions + d] = e.dx[d * hits + i];
  }
}

template <class Run>
void with_convention(int32_t convention, Run&& run) {
  if (convention == UPS_CONDENSATION_OBJECT_CONDENSATION)
    run(std::integral_constant<int32_t, UPS_CONDENSATION_OBJECT_CONDENSATION>());
  else if (convention == UPS_CONDENSATION_CAT_FINDER)
    run(std::integral_constant<int32_t, UPS_CONDENSATION_CAT_FINDER>());
  else run(std::integral_constant<int32_t, UPS_CONDENSATION_CMS_PEPR>());
}

ups_status forward(const Call& call) {
  const CondensationForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  each_event(call, f, [&](int64_t number) {
    const Event event(f, scratch, number);
    with_convention(f.convention,
                    [&](auto convention) { forward_event<convention()>(f, event, scratch.terms + 4 * number); });
  });
  for (int term = 0; term < 4; ++term) {
    double sum = 0;
    for (int64_t event = 0; event < f.events; ++event) sum += scratch.terms[4 * event + term];
    f.y[term] = static_cast<float>(f.events > 0 ? sum / static_cast<double>(f.events) : 0);
  }
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const CondensationBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  const int64_t first = f.offsets[0], end = f.offsets[f.events];
  clear(f.dbeta, first);
  clear(f.dx, first * f.dimensions);
  clear(f.dbeta ? f.dbeta + end : nullptr, f.hits - end);
  clear(f.dx ? f.dx + end * f.dimensions : nullptr, (f.hits - end) * f.dimensions);
  each_event(call, f, [&](int64_t number) {
    const Event event(f, scratch, number);
    with_convention(f.convention, [&](auto convention) {
      backward_event<convention()>(f, event, scratch.sums + number * f.dimensions * lanes);
    });
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, ObjectCondensationForwardCall, forward, workspace_of<CondensationForward<float>, Scratch>)
UPS_CPU_VARIANT(backward, ObjectCondensationBackwardCall, backward, workspace_of<CondensationBackward<float>, Scratch>)

UPS_SIMD_END
