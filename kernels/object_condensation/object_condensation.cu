// CUDA: a thread finds its hit's condensation point, a warp sums the pairs of one point, a thread
// those of one hit; so each sum has one owner and needs no atomics. Floor: arithmetic, 3 D + 8
// operations for each hit and object forward, twice (6 D + 14) backward, as both sides of a pair
// sum it; and two comparisons for every two hits of an event.
#include "object_condensation/object_condensation.h"

#include "lib/cuda/cuda.h"

#include "object_condensation/object_condensation_call.h"
#include "object_condensation/potentials.h"

namespace upsilon {
namespace {

// By hit: its object's point (-1 for noise), the object's size, its charge. By event: objects,
// noise.
struct Objects {
  int32_t *point, *size, *objects, *noise;
  float* charge;

  Objects(const Condensation<float>& f, WorkspaceLayout& workspace) {
    point = workspace.reserve<int32_t>(f.hits);
    size = workspace.reserve<int32_t>(f.hits);
    objects = workspace.reserve<int32_t>(f.events);
    noise = workspace.reserve<int32_t>(f.events);
    charge = workspace.reserve<float>(f.hits);
  }
};

// The event of a row, -1 for a row outside every event.
UPS_ON_DEVICE int64_t event_of(const Condensation<float>& f, int64_t row) {
  if (f.events == 0 || row < f.offsets[0] || row >= f.offsets[f.events]) return -1;
  int64_t low = 0, high = f.events;  // the last event that begins at or before the row
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (f.offsets[middle] <= row) low = middle;
    else high = middle;
  }
  return low;
}

UPS_ON_DEVICE float distance2(const Condensation<float>& f, int64_t i, int64_t j) {
  float sum = 0;
  for (int64_t d = 0; d < f.dimensions; ++d) {
    const float difference = f.x[i * f.dimensions + d] - f.x[j * f.dimensions + d];
    sum += difference * difference;
  }
  return sum;
}

template <int threads>
UPS_KERNEL_LB(threads)
find_points(const int32_t* fault, Condensation<float> f, Objects o) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.hits; i += global_threads()) {
    const int64_t event = event_of(f, i);
    o.charge[i] = charge(f.convention, std::atanh(seen(f.convention, f.beta[i]).value), f.q_min);
    int32_t point = -1, size = 0;
    const int32_t id = f.object_ids[i];
    if (event >= 0 && id > 0) {
      for (int64_t j = f.offsets[event]; j < f.offsets[event + 1]; ++j) {
        if (f.object_ids[j] != id) continue;
        ++size;
        if (point < 0 || f.beta[j] > f.beta[point]) point = static_cast<int32_t>(j);
      }
    }
    o.point[i] = point;
    o.size[i] = size;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
count_objects(const int32_t* fault, Condensation<float> f, Objects o) {
  if (*fault != 0) return;
  const auto warp = ups::Tile<32>::here();
  for (int64_t event = global_thread() / 32; event < f.events; event += global_threads() / 32) {
    int32_t objects = 0, noise = 0;
    for (int64_t i = f.offsets[event] + warp.rank; i < f.offsets[event + 1]; i += 32) {
      objects += o.point[i] == i;
      noise += o.point[i] < 0;
    }
    objects = warp.sum(objects);
    noise = warp.sum(noise);
    if (warp.rank == 0) o.objects[event] = objects, o.noise[event] = noise;
  }
}

// By point: attractive and repulsive sums with their weights.
template <int threads>
UPS_KERNEL_LB(threads)
sum_potentials(const int32_t* fault, Condensation<float> f, Objects o, double* of_points) {
  if (*fault != 0) return;
  const auto warp = ups::Tile<32>::here();
  for (int64_t point = global_thread() / 32; point < f.hits; point += global_threads() / 32) {
    if (o.point[point] != point) continue;  // the same for the whole warp
    const int64_t event = event_of(f, point), begin = f.offsets[event], end = f.offsets[event + 1];
    double attractive = 0, repulsive = 0;
    for (int64_t i = begin + warp.rank; i < end; i += 32) {
      const float square = distance2(f, i, point);
      if (o.point[i] == point) attractive += o.charge[i] * attraction(f.convention, square).value;
      else repulsive += o.charge[i] * repulsion(f.convention, square, f.radius).value;
    }
    attractive = warp.sum(attractive);
    repulsive = warp.sum(repulsive);
    if (warp.rank == 0) {
      const double charge = o.charge[point];
      const int64_t hits = end - begin, own = o.size[point], objects = o.objects[event];
      of_points[2 * point] = charge * attractive * attraction_weight<double>(f.convention, hits, own, objects);
      of_points[2 * point + 1] = charge * repulsive * repulsion_weight<double>(f.convention, hits, own, objects);
    }
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
sum_events(const int32_t* fault, Condensation<float> f, Objects o, const double* of_points, double* of_events) {
  if (*fault != 0) return;
  const auto warp = ups::Tile<32>::here();
  for (int64_t event = global_thread() / 32; event < f.events; event += global_threads() / 32) {
    double attractive = 0, repulsive = 0, beta = 0, noise = 0;
    for (int64_t i = f.offsets[event] + warp.rank; i < f.offsets[event + 1]; i += 32) {
      if (o.point[i] < 0) noise += f.beta[i];
      if (o.point[i] != i) continue;
      attractive += of_points[2 * i];
      repulsive += of_points[2 * i + 1];
      beta += 1.0 - static_cast<double>(f.beta[i]);
    }
    attractive = warp.sum(attractive);
    repulsive = warp.sum(repulsive);
    beta = warp.sum(beta);
    noise = warp.sum(noise);
    if (warp.rank == 0) {
      double* const terms = of_events + 4 * event;
      terms[0] = attractive;
      terms[1] = repulsive;
      terms[2] = o.objects[event] > 0 ? beta / o.objects[event] : 0;
      terms[3] = noise * noise_weight<double>(f.convention, o.noise[event]);
    }
  }
}

// One warp: the means over the events.
UPS_KERNEL_LB(32) average(const int32_t* fault, CondensationForward<float> f, const double* of_events) {
  if (*fault != 0) return;
  const auto warp = ups::Tile<32>::here();
  for (int term = 0; term < 4; ++term) {
    double sum = 0;
    for (int64_t event = warp.rank; event < f.events; event += 32) sum += of_events[4 * event + term];
    sum = warp.sum(sum);
    if (warp.rank == 0) f.y[term] = static_cast<float>(f.events > 0 ? sum / static_cast<double>(f.events) : 0);
  }
}

// One pair's part of the gradient: by the charges, and along x_hit - x_point.
struct Pull {
  float by_hit_charge, by_point_charge, along;
};
struct Weights {
  float attract, repel;
};
UPS_ON_DEVICE Weights weights_of(const CondensationBackward<float>& f, const Objects& o, int64_t point, int64_t event,
                                 int64_t hits) {
  const float share = 1.0f / static_cast<float>(f.events);
  const int64_t own = o.size[point], objects = o.objects[event];
  return {f.dy[0] * share * attraction_weight<float>(f.convention, hits, own, objects),
          f.dy[1] * share * repulsion_weight<float>(f.convention, hits, own, objects)};
}
UPS_ON_DEVICE Pull pull_of(const CondensationBackward<float>& f, const Objects& o, const Weights& weights, int64_t hit,
                           int64_t point) {
  const bool own = o.point[hit] == point;
  const float square = distance2(f, hit, point), weight = own ? weights.attract : weights.repel;
  const Potential<float> potential = own ? attraction(f.convention, square) : repulsion(f.convention, square, f.radius);
  const float hit_charge = o.charge[hit], point_charge = o.charge[point];
  return {weight * potential.value * point_charge, weight * potential.value * hit_charge,
          2 * weight * potential.slope * hit_charge * point_charge};
}

// Dimensions that are summed at once; more take the pairs again.
constexpr int dimensions_at_once = 4;

// By point, as a point: the gradient of its charge, then of its coordinates.
template <int threads>
UPS_KERNEL_LB(threads)
sum_at_points(const int32_t* fault, CondensationBackward<float> f, Objects o, float* of_points) {
  if (*fault != 0) return;
  const auto warp = ups::Tile<32>::here();
  for (int64_t point = global_thread() / 32; point < f.hits; point += global_threads() / 32) {
    if (o.point[point] != point) continue;  // the same for the whole warp
    const int64_t event = event_of(f, point), begin = f.offsets[event], end = f.offsets[event + 1];
    const Weights weights = weights_of(f, o, point, event, end - begin);
    float* const found = of_points + point * (f.dimensions + 1);
    for (int64_t first = 0; first == 0 || first < f.dimensions; first += dimensions_at_once) {
      float charge = 0, along[dimensions_at_once] = {};
      for (int64_t i = begin + warp.rank; i < end; i += 32) {
        const Pull pull = pull_of(f, o, weights, i, point);
        charge += pull.by_point_charge;
        UPS_UNROLL
        for (int d = 0; d < dimensions_at_once; ++d)
          if (first + d < f.dimensions)
            along[d] += pull.along * (f.x[i * f.dimensions + first + d] - f.x[point * f.dimensions + first + d]);
      }
      charge = warp.sum(charge);
      if (warp.rank == 0) found[0] = charge;
      UPS_UNROLL
      for (int d = 0; d < dimensions_at_once; ++d) {
        along[d] = warp.sum(along[d]);
        if (warp.rank == 0 && first + d < f.dimensions) found[1 + first + d] = along[d];
      }
    }
  }
}

// By hit: what all points of its event do to it, and its own as a point.
template <int threads>
UPS_KERNEL_LB(threads)
sum_at_hits(const int32_t* fault, CondensationBackward<float> f, Objects o, const float* of_points) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < f.hits; i += global_threads()) {
    const int64_t event = event_of(f, i);
    const int64_t begin = event < 0 ? 0 : f.offsets[event], end = event < 0 ? 0 : f.offsets[event + 1];
    const bool is_point = o.point[i] == i;
    const float* const own = of_points + i * (f.dimensions + 1);
    for (int64_t first = 0; first == 0 || first < f.dimensions; first += dimensions_at_once) {
      float charge = 0, along[dimensions_at_once] = {};
      for (int64_t point = begin; point < end; ++point) {
        if (o.point[point] != point) continue;
        const Pull pull = pull_of(f, o, weights_of(f, o, point, event, end - begin), i, point);
        charge += pull.by_hit_charge;
        UPS_UNROLL
        for (int d = 0; d < dimensions_at_once; ++d)
          if (first + d < f.dimensions)
            along[d] += pull.along * (f.x[i * f.dimensions + first + d] - f.x[point * f.dimensions + first + d]);
      }
      UPS_UNROLL
      for (int d = 0; d < dimensions_at_once; ++d)
        if (f.dx && first + d < f.dimensions)
          f.dx[i * f.dimensions + first + d] = along[d] - (is_point ? own[1 + first + d] : 0.0f);
      if (first > 0 || !f.dbeta) continue;
      float dbeta = 0;
      if (event >= 0) {
        const Potential<float> of = seen(f.convention, f.beta[i]);
        const float share = 1.0f / static_cast<float>(f.events);
        dbeta = (charge + (is_point ? own[0] : 0.0f)) * charge_slope(f.convention, std::atanh(of.value), of);
        if (is_point) dbeta -= f.dy[2] * share / static_cast<float>(o.objects[event]);
        if (o.point[i] < 0) dbeta += f.dy[3] * share * noise_weight<float>(f.convention, o.noise[event]);
      }
      f.dbeta[i] = dbeta;
    }
  }
}

struct ForwardScratch : Objects {
  double *of_points, *of_events;
  ForwardScratch(const Condensation<float>& f, WorkspaceLayout& workspace) : Objects(f, workspace) {
    of_points = workspace.reserve<double>(2 * f.hits);
    of_events = workspace.reserve<double>(4 * f.events);
  }
};
struct BackwardScratch : Objects {
  float* of_points;
  BackwardScratch(const Condensation<float>& f, WorkspaceLayout& workspace) : Objects(f, workspace) {
    of_points = workspace.reserve<float>(f.hits * (f.dimensions + 1));
  }
};

void find_objects(Launcher& launch, const Condensation<float>& f, const Objects& o) {
  launch.elements(find_points<block_threads>, f.hits, f, o);
  launch.elements(count_objects<block_threads>, 32 * f.events, f, o);
}

ups_status forward(const Call& call) {
  const CondensationForward<float> f(call);
  const auto s = scratch_of<ForwardScratch>(call, f);
  Launcher launch(call);
  find_objects(launch, f, s);
  launch.elements(sum_potentials<block_threads>, 32 * f.hits, static_cast<const Condensation<float>&>(f),
                  static_cast<const Objects&>(s), s.of_points);
  launch.elements(sum_events<block_threads>, 32 * f.events, static_cast<const Condensation<float>&>(f),
                  static_cast<const Objects&>(s), s.of_points, s.of_events);
  launch.grid(average, 1, 1, 32, 0, f, s.of_events);
  return launch.status();
}

ups_status backward(const Call& call) {
  const CondensationBackward<float> f(call);
  const auto s = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  find_objects(launch, f, s);
  launch.elements(sum_at_points<block_threads>, 32 * f.hits, f, static_cast<const Objects&>(s), s.of_points);
  launch.elements(sum_at_hits<block_threads>, f.hits, f, static_cast<const Objects&>(s), s.of_points);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, ObjectCondensationForwardCall, forward,
                 workspace_of<CondensationForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, ObjectCondensationBackwardCall, backward,
                 workspace_of<CondensationBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
