// Reference: the definition, in plain loops.
#include "object_condensation/object_condensation.h"

#include "lib/kernel.h"
#include "object_condensation/object_condensation_call.h"
#include "object_condensation/potentials.h"

namespace upsilon {
namespace {

// One event, asked hit by hit.
template <class T>
struct Event {
  const Condensation<T>& f;
  int64_t begin, end, objects = 0, noise = 0;

  Event(const Condensation<T>& call, int64_t event)
      : f(call), begin(call.offsets[event]), end(call.offsets[event + 1]) {
    for (int64_t i = begin; i < end; ++i) {
      if (is_noise(i)) ++noise;
      else if (point(i) == i) ++objects;
    }
  }
  int64_t hits() const { return end - begin; }
  bool is_noise(int64_t i) const { return f.object_ids[i] <= 0; }
  bool same(int64_t i, int64_t j) const { return f.object_ids[i] == f.object_ids[j]; }
  // The condensation point of i's object.
  int64_t point(int64_t i) const {
    int64_t best = -1;
    for (int64_t j = begin; j < end; ++j)
      if (same(i, j) && (best < 0 || f.beta[j] > f.beta[best])) best = j;
    return best;
  }
  int64_t size(int64_t i) const {
    int64_t count = 0;
    for (int64_t j = begin; j < end; ++j) count += same(i, j);
    return count;
  }
  T charge_of(int64_t i) const {
    return charge(f.convention, std::atanh(seen(f.convention, f.beta[i]).value), f.q_min);
  }
  T distance2(int64_t i, int64_t j) const {
    T sum(0);
    for (int64_t d = 0; d < f.dimensions; ++d) {
      const T difference = f.x[i * f.dimensions + d] - f.x[j * f.dimensions + d];
      sum += difference * difference;
    }
    return sum;
  }
  // Calls body(point, hits of its object) for every object.
  template <class Body>
  void each_object(Body&& body) const {
    for (int64_t i = begin; i < end; ++i)
      if (!is_noise(i) && point(i) == i) body(i, size(i));
  }
};

template <class T>
ups_status forward_reference(const Call& call) {
  const CondensationForward<T> f(call);
  double sums[4] = {};
  for (int64_t number = 0; number < f.events; ++number) {
    const Event<T> event(f, number);
    event.each_object([&](int64_t point, int64_t own) {
      T attractive(0), repulsive(0);
      for (int64_t j = event.begin; j < event.end; ++j) {
        const T charges = event.charge_of(j) * event.charge_of(point), distance2 = event.distance2(j, point);
        if (event.same(j, point)) attractive += charges * attraction(f.convention, distance2).value;
        else repulsive += charges * repulsion(f.convention, distance2, f.radius).value;
      }
      sums[0] += attractive * attraction_weight<T>(f.convention, event.hits(), own, event.objects);
      sums[1] += repulsive * repulsion_weight<T>(f.convention, event.hits(), own, event.objects);
      sums[2] += (1 - f.beta[point]) / static_cast<T>(event.objects);
    });
    for (int64_t j = event.begin; j < event.end; ++j)
      if (event.is_noise(j)) sums[3] += f.beta[j] * noise_weight<T>(f.convention, event.noise);
  }
  for (int term = 0; term < 4; ++term)
    f.y[term] = static_cast<T>(f.events > 0 ? sums[term] / static_cast<double>(f.events) : 0);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const CondensationBackward<T> f(call);
  clear(f.dbeta, f.hits);
  clear(f.dx, f.hits * f.dimensions);
  for (int64_t number = 0; number < f.events; ++number) {
    const Event<T> event(f, number);
    T dy[4];
    for (int term = 0; term < 4; ++term) dy[term] = f.dy[term] / static_cast<T>(f.events);
    const auto add_charge = [&](int64_t i, T dcharge) {
      const auto of = seen(f.convention, f.beta[i]);
      if (f.dbeta) f.dbeta[i] += dcharge * charge_slope(f.convention, std::atanh(of.value), of);
    };
    event.each_object([&](int64_t point, int64_t own) {
      const T attract = dy[0] * attraction_weight<T>(f.convention, event.hits(), own, event.objects),
              repel = dy[1] * repulsion_weight<T>(f.convention, event.hits(), own, event.objects);
      const T point_charge = event.charge_of(point);
      for (int64_t j = event.begin; j < event.end; ++j) {
        const bool same = event.same(j, point);
        const T weight = same ? attract : repel, hit_charge = event.charge_of(j);
        const auto potential = same ? attraction(f.convention, event.distance2(j, point))
                                    : repulsion(f.convention, event.distance2(j, point), f.radius);
        add_charge(j, weight * potential.value * point_charge);
        add_charge(point, weight * potential.value * hit_charge);
        for (int64_t d = 0; f.dx && d < f.dimensions; ++d) {
          const T pull = 2 * weight * hit_charge * point_charge * potential.slope *
                         (f.x[j * f.dimensions + d] - f.x[point * f.dimensions + d]);
          f.dx[j * f.dimensions + d] += pull;
          f.dx[point * f.dimensions + d] -= pull;
        }
      }
      if (f.dbeta) f.dbeta[point] -= dy[2] / static_cast<T>(event.objects);
    });
    for (int64_t j = event.begin; f.dbeta && j < event.end; ++j)
      if (event.is_noise(j)) f.dbeta[j] += dy[3] * noise_weight<T>(f.convention, event.noise);
  }
  return UPS_OK;
}

const OperationOf<ObjectCondensationForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<ObjectCondensationBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_object_condensation_forward(ups_context* context, const ups_tensor* beta, const ups_tensor* x,
                                           const ups_tensor* object_ids, const ups_tensor* offsets, ups_tensor* y,
                                           const ups_object_condensation_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {beta, x, object_ids, offsets, y}, options);
}

ups_status ups_object_condensation_backward(ups_context* context, const ups_tensor* beta, const ups_tensor* x,
                                            const ups_tensor* object_ids, const ups_tensor* offsets,
                                            const ups_tensor* dy, ups_tensor* dbeta, ups_tensor* dx,
                                            const ups_object_condensation_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {beta, x, object_ids, offsets, dy, dbeta, dx}, options);
}
