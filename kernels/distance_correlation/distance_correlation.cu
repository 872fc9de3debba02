// CUDA: the algorithm of the SIMD variant over all sets at once, one variable after the other. Work
// of a set is cut into chunks of 1,024 elements from its beginning, and everything is added up in
// the order of elements within a chunk and of chunks within a set, so the bits depend on the set
// alone.
//
// Dominated sums: levels by 4 bits of the rank bring the elements of each 1,024 ranks together,
// still in the order of y; what is left are the pairs inside these tiles, which are compared one by
// one in shared memory. Floor: 64 bytes per element and level (one level for 16,384 elements, three
// for a million), and 1,024 / 2 pairs per element of 3 FLOP in float64. The gradient by weights
// needs dominated sums of p x besides those of p: the same once more.
#include "distance_correlation/distance_correlation.h"

#include "lib/segments/set_sort.cuh"
#include "distance_correlation/distance_correlation_call.h"

namespace upsilon {
namespace {

constexpr int chunk_threads = 128;
constexpr int64_t chunk_elements = 1024;
constexpr int per_thread = static_cast<int>(chunk_elements / chunk_threads);
constexpr int tile_bits = 10, digit_bits = 4, digits = 1 << digit_bits;
constexpr int segments = chunk_threads / digits;  // of a chunk, each walked once for every digit
constexpr int segment_elements = static_cast<int>(chunk_elements / segments);
constexpr int chunk_numbers = 9;  // that a chunk is summed up in

struct Element {
  double below, y, p;
  int64_t rank;  // in its set
};

// The sets, laid one after the other by their numbers: set s begins at place offsets[s] -
// offsets[0].
struct Sets {
  const int32_t* offsets;
  const int32_t* chunk_begins;  // [sets + 1]
  int64_t sets, elements;
  ups_distance_correlation_options options;
};

struct Place {
  int64_t set, base, count, first, size;  // of a chunk: its set, where that begins, and which elements of it are meant
  bool exists;
};

UPS_ON_DEVICE Place place_of(const Sets& s, int64_t chunk) {
  Place p{};
  p.exists = s.sets > 0 && chunk < s.chunk_begins[s.sets];
  if (!p.exists) return p;
  p.set = last_not_above(s.chunk_begins, s.sets, chunk);
  p.base = s.offsets[p.set] - s.offsets[0];
  p.count = s.offsets[p.set + 1] - s.offsets[p.set];
  p.first = (chunk - s.chunk_begins[p.set]) * chunk_elements;
  p.size = p.count - p.first < chunk_elements ? p.count - p.first : chunk_elements;
  return p;
}

// One block: how many chunks lie before each set.
template <int threads>
UPS_KERNEL_LB(threads)
count_chunks(const int32_t* fault, const int32_t* offsets, int64_t sets, int32_t* chunk_begins) {
  if (*fault != 0) return;
  UPS_SHARED(int32_t, totals, [threads]);
  const int64_t share = (sets + threads - 1) / threads;
  const int64_t first = threadIdx.x * share < sets ? threadIdx.x * share : sets;
  const int64_t end = first + share < sets ? first + share : sets;
  int32_t total = 0;
  for (int64_t set = first; set < end; ++set)
    total += static_cast<int32_t>((offsets[set + 1] - offsets[set] + chunk_elements - 1) / chunk_elements);
  totals[threadIdx.x] = total;
  __syncthreads();
  int32_t before = 0;
  for (unsigned t = 0; t < threadIdx.x; ++t) before += totals[t];
  for (int64_t set = first; set < end; ++set) {
    chunk_begins[set] = before;
    before += static_cast<int32_t>((offsets[set + 1] - offsets[set] + chunk_elements - 1) / chunk_elements);
  }
  if (threadIdx.x == threads - 1) chunk_begins[sets] = before;
}

// A given order begins at position 0, places begin with the first set; elements in no set come
// behind the last.
template <int threads>
UPS_KERNEL_LB(threads)
order_by_place(const int32_t* fault, Sets s, const int32_t* order, int32_t* by_place) {
  if (*fault != 0) return;
  const int64_t begin = s.sets > 0 ? s.offsets[0] : 0, end = s.sets > 0 ? s.offsets[s.sets] : 0;
  for (int64_t i = global_thread(); i < s.elements; i += global_threads()) {
    const bool inside = i >= begin && i < end;
    by_place[i < begin ? i + (end - begin) : inside ? i - begin : i] = inside ? order[i] : static_cast<int32_t>(i);
  }
}

// ---- sums over chunks ---------------------------------------------------------------------------

// Thread t sums its elements of the chunk, t * per_thread and on, with add(element in the set,
// sums); `emit(numbers)` gets the sums of the chunk, added up in order, on one thread.
template <int count, class Add, class Emit>
UPS_ON_DEVICE void sum_chunk(const Place& p, double (*shared)[chunk_threads], Add add, Emit emit) {
  double sums[count] = {};
  for (int i = 0; i < per_thread; ++i) {
    const int64_t k = threadIdx.x * per_thread + i;
    if (k < p.size) add(p.first + k, sums);
  }
  UPS_UNROLL
  for (int n = 0; n < count; ++n) shared[n][threadIdx.x] = sums[n];
  __syncthreads();
  if (threadIdx.x == 0) {
    double totals[count] = {};
    for (int t = 0; t < chunk_threads; ++t) {
      UPS_UNROLL
      for (int n = 0; n < count; ++n) totals[n] += shared[n][t];
    }
    emit(totals);
  }
  __syncthreads();
}

// A chunk's numbers become the sums over the chunks of the set before it; the totals of the set go
// to `totals`.
template <int threads>
UPS_KERNEL_LB(threads)
add_chunks(const int32_t* fault, Sets s, int count, double (*chunks)[chunk_numbers], double (*totals)[chunk_numbers]) {
  if (*fault != 0) return;
  for (int64_t t = global_thread(); t < s.sets * count; t += global_threads()) {
    const int64_t set = t / count, number = t % count;
    double total = 0;
    for (int64_t chunk = s.chunk_begins[set]; chunk < s.chunk_begins[set + 1]; ++chunk) {
      const double own = chunks[chunk][number];
      chunks[chunk][number] = total;
      total += own;
    }
    totals[set][number] = total;
  }
}

// ---- one variable in sorted order ---------------------------------------------------------------

// What depends on one variable of a set alone: sums of p, pz, pz², p sums, p sums².
struct AxisTotals {
  double centre, weight, first, second, mean, squares;
  bool constant;
  UPS_HD double variance(const DistanceCoefficients& c) const {
    return 2 * c.c1 * (weight * second - first * first) - 2 * c.c2 * squares + c.c3 * mean * mean;
  }
};

struct Axis {
  float *sorted, *weights;  // by place; weights null where there are none
  int32_t* order;  // the element of x and y, or, of the second variable, the place in y
  double* sums;  // sum_j p_j |z - z_j|
  AxisTotals* totals;  // by set

  Axis(WorkspaceLayout& workspace, const DistanceCorrelation<float>& f)
      : sorted(workspace.reserve<float>(f.elements)),
        weights(f.weights ? workspace.reserve<float>(f.elements) : nullptr),
        order(workspace.reserve<int32_t>(f.elements)), sums(workspace.reserve<double>(f.elements)),
        totals(workspace.reserve<AxisTotals>(f.sets)) {}
  UPS_ON_DEVICE double value(int64_t set, int64_t place) const {
    return static_cast<double>(sorted[place]) - totals[set].centre;
  }
};

template <int threads>
UPS_KERNEL_LB(threads)
take_sorted(const int32_t* fault, Axis axis, const float* values, const float* weights, const int32_t* through,
            int64_t count) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int64_t element = through ? through[axis.order[i]] : axis.order[i];
    axis.sorted[i] = values[element];
    if (axis.weights) axis.weights[i] = weights[element];
  }
}

struct Chunks {
  double (*of)[chunk_numbers];
  double (*totals)[chunk_numbers];  // by set
};

template <int threads>
UPS_KERNEL_LB(threads)
sum_weights(const int32_t* fault, Sets s, const float* weights, Chunks chunks) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [1][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  sum_chunk<1>(
      p, shared, [&](int64_t k, double* sums) { sums[0] += weights ? static_cast<double>(weights[p.base + k]) : 1.0; },
      [&](const double* sums) { chunks.of[blockIdx.x][0] = sums[0]; });
}

template <int threads>
UPS_KERNEL_LB(threads)
find_coefficients(const int32_t* fault, Sets s, Chunks chunks, DistanceCoefficients* coefficients) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < s.sets; set += global_threads())
    coefficients[set] = DistanceCoefficients(s.options, s.offsets[set + 1] - s.offsets[set], chunks.totals[set][0]);
}

// Whether all values with a weight are equal, and the centre of the set.
template <int threads>
UPS_KERNEL_LB(threads)
look_at_sets(const int32_t* fault, Sets s, Axis axis) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < s.sets; set += global_threads()) {
    const int64_t base = s.offsets[set] - s.offsets[0], count = s.offsets[set + 1] - s.offsets[set];
    const float* const z = axis.sorted + base;
    int64_t low = 0, high = count - 1;
    if (axis.weights) {
      while (low < high && axis.weights[base + low] == 0) ++low;
      while (low < high && axis.weights[base + high] == 0) --high;
    }
    AxisTotals totals{};
    totals.constant = low >= high || z[low] == z[high];
    totals.centre = count > 0 ? static_cast<double>(z[count / 2]) : 0;
    axis.totals[set] = totals;
  }
}

UPS_ON_DEVICE double weight_at(const Axis& axis, const DistanceCoefficients& c, int64_t place) {
  return axis.weights ? static_cast<double>(axis.weights[place]) * c.scale : c.scale;
}

template <int threads>
UPS_KERNEL_LB(threads)
sum_values(const int32_t* fault, Sets s, Axis axis, const DistanceCoefficients* coefficients, Chunks chunks) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [2][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const double centre = axis.totals[p.set].centre;
  const DistanceCoefficients& c = coefficients[p.set];
  sum_chunk<2>(
      p, shared,
      [&](int64_t k, double* sums) {
        const double weight = weight_at(axis, c, p.base + k);
        sums[0] += weight;
        sums[1] += weight * (static_cast<double>(axis.sorted[p.base + k]) - centre);
      },
      [&](const double* sums) {
        chunks.of[blockIdx.x][0] = sums[0];
        chunks.of[blockIdx.x][1] = sums[1];
      });
}

// Exclusive prefix sums of `count` numbers per element: begin(n) is what lies before the chunk;
// `take(k, numbers)` reads them, `emit(k, before)` gets what lies before element k of the set. At
// the end a thread looks at its own column of `shared` only, so the next sums, which each thread
// puts into its own, need no barrier before them.
template <int count, class Take, class Emit>
UPS_ON_DEVICE void scan_chunk(const Place& p, double (*shared)[chunk_threads], const double* begin, Take take,
                              Emit emit) {
  double sums[count] = {};
  for (int i = 0; i < per_thread; ++i) {
    const int64_t k = threadIdx.x * per_thread + i;
    if (k < p.size) take(p.first + k, sums);
  }
  UPS_UNROLL
  for (int n = 0; n < count; ++n) shared[n][threadIdx.x] = sums[n];
  __syncthreads();
  if (threadIdx.x < count) {
    double before = begin[threadIdx.x];
    for (int t = 0; t < chunk_threads; ++t) {
      const double own = shared[threadIdx.x][t];
      shared[threadIdx.x][t] = before;
      before += own;
    }
  }
  __syncthreads();
  double before[count];
  UPS_UNROLL
  for (int n = 0; n < count; ++n) before[n] = shared[n][threadIdx.x];
  for (int i = 0; i < per_thread; ++i) {
    const int64_t k = threadIdx.x * per_thread + i;
    if (k >= p.size) continue;
    emit(p.first + k, before);
    take(p.first + k, before);
  }
}

// sums_k = z_k (2 Q_k - P) + Z - 2 Z_k, with exclusive prefix sums Q of p and Z of p z. Then the
// chunk's sums of p sums, p sums², p z².
template <int threads>
UPS_KERNEL_LB(threads)
add_distances(const int32_t* fault, Sets s, Axis axis, const DistanceCoefficients* coefficients, Chunks before,
              Chunks chunks) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [3][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const DistanceCoefficients& c = coefficients[p.set];
  const double centre = axis.totals[p.set].centre, weight = before.totals[p.set][0], first = before.totals[p.set][1];
  const auto z = [&](int64_t k) { return static_cast<double>(axis.sorted[p.base + k]) - centre; };
  scan_chunk<2>(
      p, shared, before.of[blockIdx.x],
      [&](int64_t k, double* sums) {
        const double own = weight_at(axis, c, p.base + k);
        sums[0] += own;
        sums[1] += own * z(k);
      },
      [&](int64_t k, const double* sums) {
        axis.sums[p.base + k] = z(k) * (2 * sums[0] - weight) + first - 2 * sums[1];
      });
  sum_chunk<3>(
      p, shared,
      [&](int64_t k, double* sums) {
        const double own = weight_at(axis, c, p.base + k), distances = axis.sums[p.base + k];
        sums[0] += own * distances;
        sums[1] += own * distances * distances;
        sums[2] += own * z(k) * z(k);
      },
      [&](const double* sums) {
        for (int n = 0; n < 3; ++n) chunks.of[blockIdx.x][n] = sums[n];
      });
}

template <int threads>
UPS_KERNEL_LB(threads)
keep_totals(const int32_t* fault, Sets s, Axis axis, Chunks before, Chunks chunks) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < s.sets; set += global_threads()) {
    AxisTotals& totals = axis.totals[set];
    totals.weight = before.totals[set][0];
    totals.first = before.totals[set][1];
    totals.mean = chunks.totals[set][0];
    totals.squares = chunks.totals[set][1];
    totals.second = chunks.totals[set][2];
  }
}

// ---- dominated points ---------------------------------------------------------------------------

template <int threads>
UPS_KERNEL_LB(threads)
invert(const int32_t* fault, const int32_t* order, int64_t count, int32_t* rank_of) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) rank_of[order[i]] = static_cast<int32_t>(i);
}

// With `times_x` p x takes the place of p.
template <int threads>
UPS_KERNEL_LB(threads)
make_elements(const int32_t* fault, Sets s, Axis x, Axis y, const DistanceCoefficients* coefficients,
              const int32_t* rank_of, bool times_x, Element* elements) {
  if (*fault != 0) return;
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  for (int64_t k = threadIdx.x; k < p.size; k += threads) {
    const int64_t at = p.base + p.first + k;
    const double weight = weight_at(y, coefficients[p.set], at);
    elements[at] = {0, y.value(p.set, at), times_x ? weight * x.value(p.set, rank_of[at]) : weight,
                    rank_of[at] - p.base};
  }
}

// What one chunk leaves for each digit: p and p y of the smaller digits, and how many elements have
// this one. After add_level, the same of the chunks before it in its block, and where this chunk's
// elements of the digit go.
struct LevelChunk {
  double p[digits], y[digits];
  int32_t count[digits];
};

struct ChunkMemory {
  double p[chunk_elements], y[chunk_elements];
  double segment_p[segments][digits], segment_y[segments][digits];
  int32_t digit[chunk_elements], segment_count[segments][digits];
};

// Thread (segment, digit) walks its segment: p and p y of smaller digits, and how many elements
// have its own digit.
UPS_ON_DEVICE void walk_segments(const Element* elements, const Place& p, int shift, ChunkMemory& memory) {
  for (int64_t k = threadIdx.x; k < chunk_elements; k += chunk_threads) {
    const bool inside = k < p.size;
    const Element e = inside ? elements[p.base + p.first + k] : Element{};
    memory.p[k] = e.p;
    memory.y[k] = e.y;
    memory.digit[k] = inside ? static_cast<int32_t>(e.rank >> shift) & (digits - 1) : digits;
  }
  __syncthreads();
  const int digit = static_cast<int>(threadIdx.x) % digits, segment = static_cast<int>(threadIdx.x) / digits;
  double weight = 0, y = 0;
  int32_t count = 0;
  for (int k = segment * segment_elements; k < (segment + 1) * segment_elements; ++k) {
    count += memory.digit[k] == digit;
    if (memory.digit[k] < digit) {
      weight += memory.p[k];
      y += memory.p[k] * memory.y[k];
    }
  }
  memory.segment_p[segment][digit] = weight;
  memory.segment_y[segment][digit] = y;
  memory.segment_count[segment][digit] = count;
  __syncthreads();
}

template <int threads>
UPS_KERNEL_LB(threads)
sum_level(const int32_t* fault, Sets s, const Element* elements, int shift, LevelChunk* level) {
  if (*fault != 0) return;
  UPS_SHARED(ChunkMemory, memory, [1]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  walk_segments(elements, p, shift, memory[0]);
  if (threadIdx.x < digits) {
    double weight = 0, y = 0;
    int32_t count = 0;
    for (int segment = 0; segment < segments; ++segment) {
      weight += memory[0].segment_p[segment][threadIdx.x];
      y += memory[0].segment_y[segment][threadIdx.x];
      count += memory[0].segment_count[segment][threadIdx.x];
    }
    level[blockIdx.x].p[threadIdx.x] = weight;
    level[blockIdx.x].y[threadIdx.x] = y;
    level[blockIdx.x].count[threadIdx.x] = count;
  }
}

// A block is the ranks that share the bits above the digit; its chunks follow each other.
template <int threads>
UPS_KERNEL_LB(threads)
add_level(const int32_t* fault, Sets s, int shift, LevelChunk* level) {
  if (*fault != 0) return;
  const int64_t chunks_per_block = int64_t{1} << (shift + digit_bits - tile_bits);
  for (int64_t t = global_thread(); t < s.sets * digits; t += global_threads()) {
    const int64_t set = t / digits, digit = t % digits, base = s.offsets[set] - s.offsets[0];
    const int64_t begin = s.chunk_begins[set];
    double weight = 0, y = 0;
    int64_t next = 0;
    for (int64_t chunk = begin; chunk < s.chunk_begins[set + 1]; ++chunk) {
      if ((chunk - begin) % chunks_per_block == 0) {
        weight = y = 0;
        next = base + (chunk - begin) * chunk_elements + (digit << shift);
      }
      LevelChunk& own = level[chunk];
      const double chunk_weight = own.p[digit], chunk_y = own.y[digit];
      const int32_t count = own.count[digit];
      own.p[digit] = weight;
      own.y[digit] = y;
      own.count[digit] = static_cast<int32_t>(next);
      weight += chunk_weight;
      y += chunk_y;
      next += count;
    }
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
scatter_level(const int32_t* fault, Sets s, const Element* from, int shift, const LevelChunk* level, Element* to) {
  if (*fault != 0) return;
  UPS_SHARED(ChunkMemory, memory, [1]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  walk_segments(from, p, shift, memory[0]);
  const int digit = static_cast<int>(threadIdx.x) % digits, segment = static_cast<int>(threadIdx.x) / digits;
  double weight = level[blockIdx.x].p[digit], y = level[blockIdx.x].y[digit];
  int64_t next = level[blockIdx.x].count[digit];
  for (int before = 0; before < segment; ++before) {
    weight += memory[0].segment_p[before][digit];
    y += memory[0].segment_y[before][digit];
    next += memory[0].segment_count[before][digit];
  }
  for (int k = segment * segment_elements; k < (segment + 1) * segment_elements; ++k) {
    if (memory[0].digit[k] < digit) {
      weight += memory[0].p[k];
      y += memory[0].p[k] * memory[0].y[k];
    } else if (memory[0].digit[k] == digit) {
      Element e = from[p.base + p.first + k];
      e.below += e.y * weight - y;
      to[next++] = e;
    }
  }
}

// The pairs of each tile of ranks, and every element to the place of its rank.
template <int threads>
UPS_KERNEL_LB(threads)
finish_tiles(const int32_t* fault, Sets s, const Element* from, Element* to) {
  if (*fault != 0) return;
  UPS_SHARED(double, y, [chunk_elements]);
  UPS_SHARED(double, weight, [chunk_elements]);
  UPS_SHARED(int32_t, rank, [chunk_elements]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const Element* const tile = from + p.base + p.first;
  for (int64_t k = threadIdx.x; k < p.size; k += threads) {
    y[k] = tile[k].y;
    weight[k] = tile[k].p;
    rank[k] = static_cast<int32_t>(tile[k].rank);
  }
  __syncthreads();
  for (int64_t k = threadIdx.x; k < p.size; k += threads) {
    Element e = tile[k];
    double below = 0;
    for (int64_t j = 0; j < k; ++j) below += rank[j] < rank[k] ? weight[j] * (e.y - y[j]) : 0.0;
    e.below += below;
    to[p.base + e.rank] = e;
  }
}

// ---- value and gradient -------------------------------------------------------------------------

// x's weights are in the elements now; the axis takes them from there.
template <int threads>
UPS_KERNEL_LB(threads)
sum_joint(const int32_t* fault, Sets s, Axis x, Axis y, const Element* elements, double* beta, Chunks chunks) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [4][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  sum_chunk<4>(
      p, shared,
      [&](int64_t k, double* sums) {
        const int64_t at = p.base + k;
        const Element& e = elements[at];
        beta[at] = y.sums[x.order[at]];
        sums[0] += e.p;
        sums[1] += e.p * e.y;
        sums[2] += e.p * beta[at];
        sums[3] += e.p * x.sums[at];
      },
      [&](const double* sums) {
        for (int n = 0; n < 4; ++n) chunks.of[blockIdx.x][n] = sums[n];
      });
}

template <int threads>
UPS_KERNEL_LB(threads)
scan_joint(const int32_t* fault, Sets s, Axis x, const Element* elements, const double* beta, Chunks chunks,
           DistanceSums* prefixes) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [4][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  scan_chunk<4>(
      p, shared, chunks.of[blockIdx.x],
      [&](int64_t k, double* sums) {
        const int64_t at = p.base + k;
        const Element& e = elements[at];
        sums[0] += e.p;
        sums[1] += e.p * e.y;
        sums[2] += e.p * beta[at];
        sums[3] += e.p * x.sums[at];
      },
      [&](int64_t k, const double* sums) { prefixes[p.base + k] = {sums[0], sums[1], sums[2], sums[3]}; });
}

// E and F in the places of `below` and `y`; the chunk's sum of 2 p x E is its share of C.
template <int threads>
UPS_KERNEL_LB(threads)
differentiate(const int32_t* fault, Sets s, Axis x, Axis y, const DistanceCoefficients* coefficients,
              const DistanceSums* prefixes, Element* elements, const double* beta, Chunks joint, Chunks chunks) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [1][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const DistanceCoefficients& c = coefficients[p.set];
  const AxisTotals &xs = x.totals[p.set], &ys = y.totals[p.set];
  const float* const sorted = x.sorted + p.base;
  const double* const all = joint.totals[p.set];
  const auto prefix = [&](int64_t k) {
    return k < p.count ? prefixes[p.base + k] : DistanceSums{all[0], all[1], all[2], all[3]};
  };
  sum_chunk<1>(
      p, shared,
      [&](int64_t k, double* sums) {
        int64_t begin = k, after = k + 1;  // the group of equal x
        if (k > 0 && sorted[k - 1] == sorted[k]) {
          int64_t low = 0;
          while (low < begin) {
            const int64_t middle = (low + begin) / 2;
            if (sorted[middle] < sorted[k]) low = middle + 1;
            else begin = middle;
          }
        }
        if (after < p.count && sorted[after] == sorted[k]) {
          int64_t high = p.count;
          while (after < high) {
            const int64_t middle = (after + high) / 2;
            if (sorted[middle] > sorted[k]) high = middle;
            else after = middle + 1;
          }
        }
        Element& e = elements[p.base + k];
        const DistanceSums here = prefix(k), low = prefix(begin), high = prefix(after);
        const double z = static_cast<double>(sorted[k]) - xs.centre;
        const DistanceElement element{e.below,       z, e.y, e.p, x.sums[p.base + k], beta[p.base + k], here.p - low.p,
                                      here.y - low.y};
        const DistanceSums group{high.p - low.p, high.y - low.y, high.beta - low.beta, high.alpha - low.alpha};
        const DistanceSlopes slopes(c, element, low, group, {xs.weight, xs.first, xs.mean, ys.mean});
        e.below = slopes.e;
        e.y = slopes.f;
        sums[0] += 2 * e.p * z * e.below;
      },
      [&](const double* sums) { chunks.of[blockIdx.x][0] = sums[0]; });
}

template <int threads>
UPS_KERNEL_LB(threads)
find_values(const int32_t* fault, Sets s, Axis x, Axis y, const DistanceCoefficients* coefficients, Chunks chunks,
            DistanceValue* found, double* value) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < s.sets; set += global_threads()) {
    const DistanceCoefficients& c = coefficients[set];
    DistanceValue result;
    if (c.defined && !x.totals[set].constant && !y.totals[set].constant)
      result = DistanceValue(s.options, chunks.totals[set][0], x.totals[set].variance(c), y.totals[set].variance(c));
    found[set] = result;
    if (value) value[set] = result.value;
  }
}

// dx, or the sum over variables in `sum`.
template <int threads>
UPS_KERNEL_LB(threads)
store_gradient(const int32_t* fault, Sets s, Axis x, Axis y, const Element* elements, const DistanceValue* found,
               const double* dvalue, float* dx, double* sum) {
  if (*fault != 0) return;
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const double of_e = 2 * dvalue[p.set] * found[p.set].of_c, of_f = 4 * dvalue[p.set] * found[p.set].of_vx;
  for (int64_t k = threadIdx.x; k < p.size; k += threads) {
    const int64_t at = p.base + p.first + k;
    const Element& e = elements[at];
    const double gradient = e.p * (of_e * e.below + of_f * e.y);
    const int64_t element = y.order[x.order[at]];
    if (dx) dx[element] = static_cast<float>(gradient);
    else sum[element] += gradient;
  }
}

// ---- the gradient by the weights ----------------------------------------------------------------
//
// W_k = sum_j p_j a_kj b_kj = 4 G(before in both) + G(all) - 2 G(before in x) - 2 G(before in y),
// where G is the sum of p (x_k - x)(y_k - y) over some elements: x_k H - H', where H' has p x for
// p, over those before in both, and prefix sums of p, p x, p y, p x y in either order for the
// others (docs/distance-correlation.md).

// Products of both variables begin with x_k H.
template <int threads>
UPS_KERNEL_LB(threads)
begin_products(const int32_t* fault, Sets s, Axis x, const Element* elements, double* products) {
  if (*fault != 0) return;
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  for (int64_t k = threadIdx.x; k < p.size; k += threads) {
    const int64_t at = p.base + p.first + k;
    products[at] = x.value(p.set, at) * elements[at].below;
  }
}

// An element by its places in both orders.
struct Joined {
  double p, x, y, alpha, beta;
  UPS_ON_DEVICE Joined(const Axis& of_x, const Axis& of_y, const DistanceCoefficients& c, int64_t set, int64_t x_place,
                       int64_t y_place)
      : p(weight_at(of_y, c, y_place)), x(of_x.value(set, x_place)), y(of_y.value(set, y_place)),
        alpha(of_x.sums[x_place]), beta(of_y.sums[y_place]) {}
};

// Sums over elements of p (1, x, y, xy), and of p alpha and p beta without and with the coordinate
// `z` they are sorted by.
constexpr int joined_numbers = 8;
UPS_ON_DEVICE void add_joined(const Joined& e, double z, double* sums) {
  sums[0] += e.p;
  sums[1] += e.p * e.x;
  sums[2] += e.p * e.y;
  sums[3] += e.p * e.x * e.y;
  sums[4] += e.p * e.alpha;
  sums[5] += e.p * e.alpha * z;
  sums[6] += e.p * e.beta;
  sums[7] += e.p * e.beta * z;
}
// G of an element over what is summed.
UPS_ON_DEVICE double around(const Joined& e, const double* sums) {
  return e.x * (e.y * sums[0] - sums[2]) - e.y * sums[1] + sums[3];
}
// sum_i q_i |z - z_i| from sums of q and q z before z, and over all.
UPS_ON_DEVICE double spread(double z, const double* before, const double* all) {
  return z * (2 * before[0] - all[0]) + all[1] - 2 * before[1];
}

// The elements of a chunk in the order of x, or in that of y.
template <bool by_y>
struct InOrder {
  Axis x, y;
  const DistanceCoefficients* coefficients;
  const int32_t* rank_of;

  UPS_ON_DEVICE int64_t x_place(int64_t at) const { return by_y ? rank_of[at] : at; }
  UPS_ON_DEVICE Joined at(int64_t set, int64_t at) const {
    return {x, y, coefficients[set], set, x_place(at), by_y ? at : x.order[at]};
  }
  UPS_ON_DEVICE void add(int64_t set, int64_t place, double* sums) const {
    const Joined e = at(set, place);
    add_joined(e, by_y ? e.y : e.x, sums);
  }
};

// And, after these, the sum of p alpha beta.
template <int threads, bool by_y>
UPS_KERNEL_LB(threads)
sum_joined(const int32_t* fault, Sets s, InOrder<by_y> order, Chunks chunks) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [joined_numbers + 1][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  sum_chunk<joined_numbers + 1>(
      p, shared,
      [&](int64_t k, double* sums) {
        order.add(p.set, p.base + k, sums);
        const Joined e = order.at(p.set, p.base + k);
        sums[joined_numbers] += e.p * e.alpha * e.beta;
      },
      [&](const double* sums) {
        for (int n = 0; n <= joined_numbers; ++n) chunks.of[blockIdx.x][n] = sums[n];
      });
}

// The derivative by p_k, as far as it is known in the order of x.
template <int threads>
UPS_KERNEL_LB(threads)
weigh_in_x(const int32_t* fault, Sets s, InOrder<false> order, const DistanceValue* found, const double* products,
           const Element* elements, Chunks before, double* of_p) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [joined_numbers][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const DistanceCoefficients& c = order.coefficients[p.set];
  const DistanceValue& result = found[p.set];
  const AxisTotals &x = order.x.totals[p.set], &y = order.y.totals[p.set];
  const double* const all = before.totals[p.set];
  // With the weights as given, c2 = 2 - sum p moves as well.
  double moved = 0;
  if (s.options.weight_sum == UPS_WEIGHTS_GIVEN)
    moved =
        2 * (result.of_c * (all[joined_numbers] - c.c2 * x.mean * y.mean) +
             result.of_vx * (x.squares - c.c2 * x.mean * x.mean) + result.of_vy * (y.squares - c.c2 * y.mean * y.mean));
  scan_chunk<joined_numbers>(
      p, shared, before.of[blockIdx.x], [&](int64_t k, double* sums) { order.add(p.set, p.base + k, sums); },
      [&](int64_t k, const double* sums) {
        const int64_t at = p.base + k;
        const Joined e = order.at(p.set, at);
        const double pairs = 4 * (products[at] - elements[at].below) + around(e, all) - 2 * around(e, sums);
        const double of_c = c.c1 * pairs - c.c2 * (e.alpha * e.beta + spread(e.x, sums + 6, all + 6)) +
                            c.c3 * (e.alpha * y.mean + x.mean * e.beta);
        const double of_vx = c.c1 * (x.weight * e.x * e.x - 2 * e.x * x.first + x.second) -
                             c.c2 * (e.alpha * e.alpha + 2 * spread(e.x, sums + 4, all + 4)) +
                             2 * c.c3 * e.alpha * x.mean;
        of_p[at] = 2 * (result.of_c * of_c + result.of_vx * of_vx) + moved;
      });
}

// The rest, in the order of y; the chunk's sum of p times the derivative.
template <int threads>
UPS_KERNEL_LB(threads)
weigh_in_y(const int32_t* fault, Sets s, InOrder<true> order, const DistanceValue* found, Chunks before, Chunks chunks,
           double* of_p) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [joined_numbers][chunk_threads]);
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const DistanceCoefficients& c = order.coefficients[p.set];
  const DistanceValue& result = found[p.set];
  const AxisTotals& y = order.y.totals[p.set];
  const double* const all = before.totals[p.set];
  scan_chunk<joined_numbers>(
      p, shared, before.of[blockIdx.x], [&](int64_t k, double* sums) { order.add(p.set, p.base + k, sums); },
      [&](int64_t k, const double* sums) {
        const Joined e = order.at(p.set, p.base + k);
        const double of_c = -2 * c.c1 * around(e, sums) - c.c2 * spread(e.y, sums + 4, all + 4);
        const double of_vy = c.c1 * (y.weight * e.y * e.y - 2 * e.y * y.first + y.second) -
                             c.c2 * (e.beta * e.beta + 2 * spread(e.y, sums + 6, all + 6)) + 2 * c.c3 * e.beta * y.mean;
        of_p[order.x_place(p.base + k)] += 2 * (result.of_c * of_c + result.of_vy * of_vy);
      });
  sum_chunk<1>(
      p, shared,
      [&](int64_t k, double* sums) { sums[0] += order.at(p.set, p.base + k).p * of_p[order.x_place(p.base + k)]; },
      [&](const double* sums) { chunks.of[blockIdx.x][0] = sums[0]; });
}

// p = w / sum w: a common factor of all weights changes nothing.
template <int threads>
UPS_KERNEL_LB(threads)
add_weight_gradient(const int32_t* fault, Sets s, Axis x, Axis y, const DistanceCoefficients* coefficients,
                    const double* dvalue, Chunks chunks, const double* of_p, double* sum) {
  if (*fault != 0) return;
  const Place p = place_of(s, blockIdx.x);
  if (!p.exists) return;
  const double common = s.options.weight_sum == UPS_WEIGHTS_GIVEN ? 0 : chunks.totals[p.set][0];
  for (int64_t k = threadIdx.x; k < p.size; k += threads) {
    const int64_t at = p.base + p.first + k;
    sum[y.order[x.order[at]]] += dvalue[p.set] * coefficients[p.set].scale * (of_p[at] - common);
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
round_sums(const int32_t* fault, const double* sums, int64_t count, float* rounded) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) rounded[i] = static_cast<float>(sums[i]);
}

struct Plan {
  const DistanceCorrelation<float>& f;
  int64_t chunk_count;  // at most
  Sets sets;
  int32_t* chunk_begins;
  DistanceCoefficients* coefficients;
  Axis y, x;
  Chunks before, chunks;
  SetSort sorting;
  int32_t* rank_of;
  Element *elements, *others;
  LevelChunk* level;
  double *beta, *dy, *dweights, *products, *of_p;
  DistanceSums* prefixes;
  DistanceValue* found;

  Plan(const DistanceCorrelation<float>& f_, WorkspaceLayout& workspace)
      : f(f_), chunk_count(f.elements / chunk_elements + f.sets), sets{},
        chunk_begins(workspace.reserve<int32_t>(f.sets + 1)),
        coefficients(workspace.reserve<DistanceCoefficients>(f.sets)), y(workspace, f), x(workspace, f),
        before(take_chunks(workspace)), chunks(take_chunks(workspace)), sorting(workspace, f.elements, f.sets),
        rank_of(workspace.reserve<int32_t>(f.elements)), elements(workspace.reserve<Element>(f.elements)),
        others(workspace.reserve<Element>(f.elements)), level(workspace.reserve<LevelChunk>(chunk_count)),
        beta(workspace.reserve<double>(f.elements)), dy(f.dy ? workspace.reserve<double>(f.elements) : nullptr),
        dweights(f.dweights ? workspace.reserve<double>(f.elements) : nullptr),
        products(f.dweights ? workspace.reserve<double>(f.elements) : nullptr),
        of_p(f.dweights ? workspace.reserve<double>(f.elements) : nullptr),
        prefixes(workspace.reserve<DistanceSums>(f.elements)), found(workspace.reserve<DistanceValue>(f.sets)) {
    sets = {f.offsets, chunk_begins, f.sets, f.elements, f.options};
  }
  Chunks take_chunks(WorkspaceLayout& workspace) const {
    return {reinterpret_cast<double (*)[chunk_numbers]>(workspace.reserve<double>(chunk_numbers * chunk_count)),
            reinterpret_cast<double (*)[chunk_numbers]>(workspace.reserve<double>(chunk_numbers * f.sets))};
  }

  void add(Launcher& launch, int count, const Chunks& of) const {
    launch.elements(add_chunks<block_threads>, f.sets * count, sets, count, of.of, of.totals);
  }

  // `through`: x's elements are places of y, which this turns into numbers of elements. `order`: of
  // all elements, by position; null where they are to be sorted.
  void make_axis(Launcher& launch, const float* values, Axis& axis, const int32_t* through, const int32_t* order,
                 bool with_coefficients) {
    if (order) launch.elements(order_by_place<block_threads>, f.elements, sets, order, axis.order);
    else sorting.run(launch, NumberKeys<float>{values, false}, through, f.offsets, axis.order);
    launch.elements(take_sorted<block_threads>, f.elements, axis, values, f.weights, through, f.elements);
    launch.elements(look_at_sets<block_threads>, f.sets, sets, axis);
    if (with_coefficients) {
      launch.grid(sum_weights<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, axis.weights, chunks);
      add(launch, 1, chunks);
      launch.elements(find_coefficients<block_threads>, f.sets, sets, chunks, coefficients);
    }
    launch.grid(sum_values<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, axis, coefficients, before);
    add(launch, 2, before);
    launch.grid(add_distances<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, axis, coefficients, before,
                chunks);
    add(launch, 3, chunks);
    launch.elements(keep_totals<block_threads>, f.sets, sets, axis, before, chunks);
  }

  // Sums over dominated points, of p or of p x: in the order of x.
  Element* dominate(Launcher& launch, bool times_x) {
    launch.grid(make_elements<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, y, coefficients, rank_of,
                times_x, elements);
    Element *from = elements, *to = others;
    int shift = tile_bits;
    while (int64_t{1} << (shift + digit_bits) < f.elements) shift += digit_bits;
    for (; f.elements > chunk_elements && shift >= tile_bits; shift -= digit_bits) {
      launch.grid(sum_level<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, from, shift, level);
      launch.elements(add_level<block_threads>, f.sets * digits, sets, shift, level);
      launch.grid(scatter_level<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, from, shift, level, to);
      std::swap(from, to);
    }
    launch.grid(finish_tiles<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, from, to);
    return to;
  }

  // `values` against the sorted y: its value, and its gradient in dx or added to sum; `weighs`: and
  // that by the weights.
  void variable(Launcher& launch, const float* values, double* value, const double* dvalue, float* dx, double* sum,
                bool weighs = false) {
    make_axis(launch, values, x, y.order, nullptr, false);
    launch.elements(invert<block_threads>, f.elements, x.order, f.elements, rank_of);
    Element* const joint = dominate(launch, false);
    if (weighs) launch.grid(begin_products<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, joint, products);
    launch.grid(sum_joint<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, y, joint, beta, before);
    add(launch, 4, before);
    launch.grid(scan_joint<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, joint, beta, before, prefixes);
    launch.grid(differentiate<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, y, coefficients, prefixes,
                joint, beta, before, chunks);
    add(launch, 1, chunks);
    launch.elements(find_values<block_threads>, f.sets, sets, x, y, coefficients, chunks, found, value);
    if (dx || sum)
      launch.grid(store_gradient<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, y, joint, found, dvalue, dx,
                  sum);
    if (weighs) weigh(launch, dvalue);
  }

  // The gradient by the weights of the variable that was last.
  void weigh(Launcher& launch, const double* dvalue) {
    const Element* const joint = dominate(launch, true);
    const InOrder<false> in_x{x, y, coefficients, rank_of};
    const InOrder<true> in_y{x, y, coefficients, rank_of};
    launch.grid(sum_joined<chunk_threads, false>, chunk_count, 1, chunk_threads, 0, sets, in_x, before);
    add(launch, joined_numbers + 1, before);
    launch.grid(weigh_in_x<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, in_x, found, products, joint, before,
                of_p);
    launch.grid(sum_joined<chunk_threads, true>, chunk_count, 1, chunk_threads, 0, sets, in_y, before);
    add(launch, joined_numbers + 1, before);
    launch.grid(weigh_in_y<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, in_y, found, before, chunks, of_p);
    add(launch, 1, chunks);
    launch.grid(add_weight_gradient<chunk_threads>, chunk_count, 1, chunk_threads, 0, sets, x, y, coefficients, dvalue,
                chunks, of_p, dweights);
  }

  void run(Launcher& launch) {
    launch.grid(count_chunks<block_threads>, 1, 1, block_threads, 0, f.offsets, f.sets, chunk_begins);
    make_axis(launch, f.y, y, nullptr, f.order, true);
    for (int64_t k = 0; k < f.variables; ++k)
      if (f.dx || f.value || f.dweights)
        variable(launch, f.x + k * f.elements, f.value ? f.value + k * f.sets : nullptr,
                 f.dvalue ? f.dvalue + k * f.sets : nullptr, f.dx ? f.dx + k * f.elements : nullptr, nullptr,
                 f.dweights != nullptr);
    if (f.dweights) launch.elements(round_sums<block_threads>, f.elements, dweights, f.elements, f.dweights);
    // The gradient in y: the roles are swapped.
    for (int64_t k = 0; f.dy && k < f.variables; ++k) {
      make_axis(launch, f.x + k * f.elements, y, nullptr, nullptr, true);
      variable(launch, f.y, nullptr, f.dvalue + k * f.sets, nullptr, dy);
    }
    if (f.dy) launch.elements(round_sums<block_threads>, f.elements, dy, f.elements, f.dy);
  }
};

template <class F>
ups_status run(const Call& call) {
  const F f(call);
  auto plan = scratch_of<Plan>(call, f);
  Launcher launch(call);
  if (f.dx) launch.clear(f.dx, static_cast<size_t>(f.variables * f.elements) * sizeof(float));
  if (plan.dy) launch.clear(plan.dy, static_cast<size_t>(f.elements) * sizeof(double));
  if (plan.dweights) launch.clear(plan.dweights, static_cast<size_t>(f.elements) * sizeof(double));
  plan.run(launch);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, DistanceCorrelationForwardCall, run<DistanceCorrelationForward<float>>,
                 workspace_of<DistanceCorrelationForward<float>, Plan>)
UPS_CUDA_VARIANT(backward, DistanceCorrelationBackwardCall, run<DistanceCorrelationBackward<float>>,
                 workspace_of<DistanceCorrelationBackward<float>, Plan>)

}  // namespace
}  // namespace upsilon
