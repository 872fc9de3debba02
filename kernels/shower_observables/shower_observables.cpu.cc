// SIMD: one pass over the cells, layer by layer. A vector of cells in which there is no hit, which
// in showers is the normal case, costs a load and a comparison; the others are added to a float64
// image of the shower seen along its axis, in L1, of which everything transverse is made, and the
// spectrum looks at their hits one by one. Floor: memory, 4 bytes a cell.
#include "lib/math/no_contraction.h"

#include "shower_observables/shower_observables.h"
#include "shower_observables/shower_observables_call.h"

#define UPS_SIMD_SOURCE "shower_observables/shower_observables.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int half_lanes = lanes / 2;
typedef float HalfFloats __attribute__((vector_size(UPS_LANES * 2)));
typedef double Doubles __attribute__((vector_size(UPS_LANES * 4)));

// What belongs to one worker.
struct Scratch {
  double *seen, *slices;  // seen: [height, width], the sum over the layers; slices: [width], the sum of that over y
  double *layer, *ring;
  int32_t* counts;
};

template <class T>
Scratch take_parts(const ShowerObservables<T>& f, WorkspaceLayout& workspace) {
  Scratch s{};
  s.seen = workspace.reserve<double>(f.height * f.width);
  s.slices = workspace.reserve<double>(f.width);
  s.layer = workspace.reserve<double>(f.layers);
  s.ring = workspace.reserve<double>(f.rings);
  s.counts = workspace.reserve<int32_t>(f.bins);
  return s;
}

struct Bins {
  int64_t count;
  float edges[max_bins + 1];

  explicit Bins(const ShowerObservables<float>& f) : count(f.spectrum ? f.bins : 0) {
    for (int64_t s = 0; count > 0 && s <= count; ++s) edges[s] = float_bound(f.edge(s));
  }
  void add(float energy, int32_t* counts) const {
    if (!(energy >= edges[0]) || !(energy < edges[count])) return;
    int64_t low = 0, high = count;
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      const bool above = energy >= edges[middle];
      low = above ? middle : low;
      high = above ? high : middle;
    }
    ++counts[low];
  }
};

// Adds the vector's halves to float64 numbers.
[[gnu::always_inline]] inline void add_wide(const Floats& v, double* to, Doubles* sums) {
  HalfFloats halves[2];
  std::memcpy(halves, &v, sizeof v);
  for (int h = 0; h < 2; ++h) {
    const Doubles wide = __builtin_convertvector(halves[h], Doubles);
    Doubles at;
    std::memcpy(&at, to + h * half_lanes, sizeof at);
    at += wide;
    std::memcpy(to + h * half_lanes, &at, sizeof at);
    sums[h] += wide;
  }
}

// Of one layer: its energy; its hits are counted into `hits` and `counts`.
double add_layer(const float* cells, int64_t size, float threshold, const Bins& bins, const Scratch& s, int32_t& hits) {
  Doubles sums[2] = {};
  double rest = 0;
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const Floats v = load(cells + i);
    const Ints empty = v < broadcast(threshold);
    if (!any(~empty)) continue;
    add_wide(empty ? zero() : v, s.seen + i, sums);
    for (int lane = 0; lane < lanes; ++lane) hits += 1 + empty[lane];
    if (bins.count > 0)
      for (int lane = 0; lane < lanes; ++lane)
        if (empty[lane] == 0) bins.add(cells[i + lane], s.counts);
  }
  for (; i < size; ++i) {
    if (cells[i] < threshold) continue;
    s.seen[i] += cells[i];
    rest += cells[i];
    ++hits;
    if (bins.count > 0) bins.add(cells[i], s.counts);
  }
  double sum = rest;
  for (int h = 0; h < 2; ++h)
    for (int lane = 0; lane < half_lanes; ++lane) sum += sums[h][lane];
  return sum;
}

void add_rings(const ShowerObservables<float>& f, const Scratch& s, double axis_y, double axis_x) {
  std::fill_n(s.ring, f.rings, 0.0);
  for (int64_t y = 0; y < f.height; ++y)
    for (int64_t x = 0; x < f.width; ++x) {
      const double distance2 =
          squared_distance(static_cast<double>(y) - axis_y, static_cast<double>(x) - axis_x, f.rings_per_cell);
      const double distance = std::sqrt(distance2);
      if (!(distance < static_cast<double>(f.rings) + 1)) continue;
      int64_t r = static_cast<int64_t>(distance);
      if (!is_in_ring(distance2, r)) --r;  // the root was rounded up to a whole number
      if (r < f.rings) s.ring[r] += s.seen[y * f.width + x];
    }
}

void one_shower(const ShowerObservables<float>& f, int64_t b, float threshold, const Bins& bins, const Scratch& s) {
  const int64_t size = f.height * f.width;
  std::fill_n(s.seen, size, 0.0);
  std::fill_n(s.slices, f.width, 0.0);
  std::fill_n(s.counts, bins.count, 0);
  int32_t hits = 0;
  double energy = 0, moments[3] = {};
  for (int64_t z = 0; z < f.layers; ++z) {
    s.layer[z] = add_layer(f.cells + (b * f.layers + z) * size, size, threshold, bins, s, hits);
    moments[0] += static_cast<double>(z) * s.layer[z];
  }
  for (int64_t y = 0; y < f.height; ++y) {
    double row = 0;
    for (int64_t x = 0; x < f.width; ++x) {
      row += s.seen[y * f.width + x];
      s.slices[x] += s.seen[y * f.width + x];
    }
    energy += row;
    moments[1] += static_cast<double>(y) * row;
  }
  for (int64_t x = 0; x < f.width; ++x) moments[2] += static_cast<double>(x) * s.slices[x];
  const int64_t extents[3] = {f.layers, f.height, f.width};
  double centre[3];
  for (int d = 0; d < 3; ++d) centre[d] = energy == 0 ? static_cast<double>(extents[d] - 1) / 2 : moments[d] / energy;

  if (f.energy) f.energy[b] = static_cast<float>(energy);
  if (f.hits) f.hits[b] = hits;
  for (int64_t z = 0; f.longitudinal && z < f.layers; ++z)
    f.longitudinal[b * f.layers + z] = static_cast<float>(s.layer[z]);
  for (int d = 0; f.centre && d < 3; ++d) f.centre[3 * b + d] = static_cast<float>(centre[d]);
  if (f.radial) {
    add_rings(f, s, f.axis ? f.axis[2 * b] : centre[1], f.axis ? f.axis[2 * b + 1] : centre[2]);
    for (int64_t r = 0; r < f.rings; ++r) f.radial[b * f.rings + r] = static_cast<float>(s.ring[r]);
  }
  if (f.spectrum) std::copy_n(s.counts, bins.count, f.spectrum + b * f.bins);
}

struct WorkerScratch {
  int64_t bytes;  // of a worker
  char* all;

  WorkerScratch(const ShowerObservables<float>& f, int32_t workers, WorkspaceLayout& workspace) {
    WorkspaceLayout one(nullptr);
    (void)take_parts(f, one);
    bytes = static_cast<int64_t>(one.bytes());
    all = workspace.reserve<char>(bytes * workers);
  }
};

ups_status observables(const Call& call) {
  const ShowerObservables<float> f(call);
  const Bins bins(f);
  const float threshold = float_bound(f.threshold);
  const auto scratch = scratch_of<WorkerScratch>(call, f);
  call.threads->run(f.showers, [&](int64_t b, int32_t worker) {
    WorkspaceLayout workspace(scratch.all + scratch.bytes * worker);
    one_shower(f, b, threshold, bins, take_parts(f, workspace));
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(observables, ShowerObservablesCall, observables, workspace_of<ShowerObservables<float>, WorkerScratch>)

UPS_SIMD_END
