// SIMD: hits lie across the vectors, coordinates of an event side by side. One pass over the hits
// of an event per cluster: it puts hits into the cluster and finds the strongest of those that
// remain, so nothing is sorted. Floor: 3 D + 4 operations for each hit and cluster; an event of a
// thousand hits stays in L1 or L2. Products are rounded before they are added, so that a hit at the
// very radius is inside for every instruction set or for none.
#include "lib/math/no_contraction.h"

#include "condense/condense.h"
#include "condense/condense_call.h"

#define UPS_SIMD_SOURCE "condense/condense.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int64_t task_hits = 512;

[[gnu::always_inline]] inline Ints load_ints(const int32_t* from, int64_t count) {
  Floats bits = load_some(reinterpret_cast<const float*>(from), count);
  Ints v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
[[gnu::always_inline]] inline void store_ints(int32_t* to, Ints v, int64_t count) {
  Floats bits;
  std::memcpy(&bits, &v, sizeof bits);
  store_some(reinterpret_cast<float*>(to), bits, count);
}
inline Ints lane_numbers() {
  Ints v;
  for (int i = 0; i < lanes; ++i) v[i] = i;
  return v;
}

// The strongest hit that may become a point: -1 when there is none.
struct Strongest {
  Floats beta;
  Ints hit;

  [[gnu::always_inline]] void take(Ints candidates, Floats next, Ints next_hit) {
    const Ints replaced = candidates & (next > beta);
    beta = replaced ? next : beta;
    hit = replaced ? next_hit : hit;
  }
  int32_t reduce() const {
    int32_t best = -1;
    float best_beta = 0;
    for (int i = 0; i < lanes; ++i) {
      if (hit[i] < 0 || (best >= 0 && (beta[i] < best_beta || (beta[i] == best_beta && hit[i] > best)))) continue;
      best = hit[i];
      best_beta = beta[i];
    }
    return best;
  }
};

// `columns`: coordinate d of hit i of the event at columns[d * size + i].
void one_event(const Condense<float>& f, int64_t event, float* columns) {
  const int64_t begin = f.offsets[event], size = f.offsets[event + 1] - begin;
  const float *beta = f.beta + begin, *x = f.x + begin * f.dimensions;
  int32_t *clusters = f.clusters + begin, *points = f.points + begin;
  std::fill_n(clusters, size, -1);
  std::fill_n(points, size, -1);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t d = 0; d < f.dimensions; ++d) columns[d * size + i] = x[i * f.dimensions + d];
  const Ints none = Ints{} - 1;
  Strongest strongest{broadcast(f.t_beta), none};
  each_vector(size, [&](int64_t i, int64_t here) {
    const Ints number = lane_numbers() + static_cast<int32_t>(i);
    strongest.take(number < static_cast<int32_t>(i + here), load_some(beta + i, here), number);
  });
  int32_t count = 0;
  for (int32_t point; (point = strongest.reduce()) >= 0; ++count) {
    points[count] = static_cast<int32_t>(begin) + point;
    strongest = {broadcast(f.t_beta), none};
    each_vector(size, [&](int64_t i, int64_t here) {
      const Ints number = lane_numbers() + static_cast<int32_t>(i);
      Floats distance2 = zero();
      for (int64_t d = 0; d < f.dimensions; ++d) {
        const Floats difference = load_some(columns + d * size + i, here) - broadcast(columns[d * size + point]);
        distance2 += difference * difference;
      }
      const Ints before = load_ints(clusters + i, here);
      const Ints is_free = (before < Ints{}) & (number < static_cast<int32_t>(i + here));
      const Ints inside = (distance2 <= broadcast(f.t_d2)) | (number == Ints{} + point);
      store_ints(clusters + i, is_free & inside ? Ints{} + count : before, here);
      strongest.take(is_free & ~inside, load_some(beta + i, here), number);
    });
  }
  f.counts[event] = count;
}

struct Scratch {
  float* columns;  // x by events, coordinates apart
  Scratch(const Condense<float>& f, WorkspaceLayout& workspace)
      : columns(workspace.reserve<float>(f.hits * f.dimensions)) {}
};

// Tasks are windows of the hits (and events, as empty ones take time too): a task has the events
// that begin in it.
ups_status condense(const Call& call) {
  const Condense<float> f(call);
  float* const columns = scratch_of<Scratch>(call, f).columns;
  const int64_t first_hit = f.offsets[0], last_hit = f.offsets[f.events];
  std::fill_n(f.clusters, first_hit, -1);
  std::fill_n(f.points, first_hit, -1);
  std::fill_n(f.clusters + last_hit, f.hits - last_hit, -1);
  std::fill_n(f.points + last_hit, f.hits - last_hit, -1);
  const auto place = [&](int64_t event) { return f.offsets[event] - first_hit + event; };
  call.threads->run(ceil_div(place(f.events), task_hits), [&](int64_t task, int32_t) {
    int64_t low = 0, high = f.events;  // the first event that begins in the window
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (place(middle) >= task * task_hits) high = middle;
      else low = middle + 1;
    }
    for (int64_t event = low; event < f.events && place(event) < (task + 1) * task_hits; ++event)
      one_event(f, event, columns + f.offsets[event] * f.dimensions);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(condense, CondenseCall, condense, workspace_of<Condense<float>, Scratch>)

UPS_SIMD_END
