// SIMD. Work: two sorts, log16 n passes over 32 bytes per element (dominance.simd.h), and four
// linear passes; for each variable about 0.4 KB of traffic per element and level at n = 10^6, in
// cache below 10^5. Nothing is O(n²).
#include <utility>

#include "lib/segments/radix_sort.h"
#include "distance_correlation/distance_correlation.h"
#include "distance_correlation/distance_correlation_call.h"

#define UPS_SIMD_SOURCE "distance_correlation/distance_correlation.cpu.cc"
#include "lib/simd/each_isa.h"
#include "distance_correlation/dominance.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t chunk_elements = 4096;  // of the linear passes
constexpr int chunk_numbers = 6;

// Sums over chunks: each chunk adds its own, `exclusive` turns them into what lies before, and
// returns the totals.
struct ChunkSums {
  double (*of)[chunk_numbers];
  int64_t chunks;

  template <class Body>
  void run(Threads& threads, Body&& body) const {
    threads.run(chunks, [&](int64_t chunk, int32_t) { body(chunk, of[chunk]); });
  }
  struct Totals {
    double of[chunk_numbers] = {};
    double operator[](int number) const { return of[number]; }
  };
  Totals exclusive(int first, int numbers) const {
    Totals totals;
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (int k = first; k < first + numbers; ++k) totals.of[k] += std::exchange(of[chunk][k], totals.of[k]);
    return totals;
  }
};

// One variable of a set in sorted order, and the sums that depend on it alone.
struct AxisSums {
  uint32_t* order;  // by rank, the element's place in the set
  double* sums;  // by rank, sum_j p_j |z - z_j|
  double centre = 0;  // taken off before sums are made; any number does, near the middle sums cancel least
  double weight = 0, first = 0, second = 0, mean = 0, squares = 0;  // sums of p, pz, pz², p sums, p sums²
  bool constant = true;

  double variance(const DistanceCoefficients& c) const {
    return 2 * c.c1 * (weight * second - first * first) - 2 * c.c2 * squares + c.c3 * mean * mean;
  }
};
template <class T>
struct Axis : AxisSums {
  T *sorted, *weights;  // weights: null where there are none
};

// Memory for `count` elements of all sets; a set uses what begins at its first element.
template <class T>
struct AxisMemory {
  T *sorted, *weights;
  uint32_t* order;
  double* sums;

  AxisMemory(int64_t count, bool weighted, WorkspaceLayout& workspace)
      : sorted(workspace.reserve<T>(count)), weights(weighted ? workspace.reserve<T>(count) : nullptr),
        order(workspace.reserve<uint32_t>(count)), sums(workspace.reserve<double>(count)) {}
  Axis<T> at(int64_t first) const {
    return {{order + first, sums + first}, sorted + first, weights ? weights + first : nullptr};
  }
};

template <class T>
struct Scratch {
  // Two arrays of elements; before there are elements, the two halves of the second hold what is
  // sorted.
  char *elements, *others;
  size_t element_size;
  T* sorted;
  uint32_t *y_rank, *counts;
  double* sums;
  double (*chunk_sums)[chunk_numbers];
  int64_t* chunk_starts;
  LevelChunk* level;
  AxisMemory<T> swapped;  // dy: x in the role of y

  // `elements`: of all sets together.
  Scratch(int64_t count, int64_t sets, bool weighted, bool wide, bool swap, WorkspaceLayout& workspace)
      : elements(nullptr), others(nullptr), element_size(wide ? sizeof(WideElement) : sizeof(Element)),
        sorted(workspace.reserve<T>(count)), y_rank(workspace.reserve<uint32_t>(count)),
        counts(workspace.reserve<uint32_t>(sort_counts(count))), sums(workspace.reserve<double>(count)),
        chunk_sums(reinterpret_cast<double (*)[chunk_numbers]>(
            workspace.reserve<double>((count / chunk_elements + sets + 1) * chunk_numbers))),
        chunk_starts(workspace.reserve<int64_t>(count / chunk_elements + 2 * sets + 2)),
        level(workspace.reserve<LevelChunk>(count > block_elements ? level_chunks(count) : 0)),
        swapped(swap ? count : 0, weighted, workspace) {
    elements = workspace.reserve<char>(count * static_cast<int64_t>(element_size));
    others = workspace.reserve<char>(count * static_cast<int64_t>(element_size));
  }
};

// What one set uses of it.
template <class T>
struct SetScratch {
  char *elements, *others;
  T* sorted;
  uint32_t *y_rank, *counts;
  double* sums;
  ChunkSums chunks;
  int64_t* chunk_starts;
  LevelChunk* level;

  SetScratch(const Scratch<T>& s, int64_t first, int64_t count, int64_t set, uint32_t* counts_)
      : elements(s.elements + first * static_cast<int64_t>(s.element_size)),
        others(s.others + first * static_cast<int64_t>(s.element_size)), sorted(s.sorted + first),
        y_rank(s.y_rank + first), counts(counts_), sums(s.sums + first),
        chunks{s.chunk_sums + first / chunk_elements + set, ceil_div(count, chunk_elements)},
        chunk_starts(s.chunk_starts + first / chunk_elements + 2 * set), level(s.level) {}
};

template <class T, class Body>
void each_element(Threads& threads, int64_t count, const SetScratch<T>& s, Body body) {
  threads.run(s.chunks.chunks, [&](int64_t chunk, int32_t) {
    const int64_t end = std::min(count, (chunk + 1) * chunk_elements);
    for (int64_t i = chunk * chunk_elements; i < end; ++i) body(i);
  });
}

// Sorts value(i), i < count: element i of the result is `emit`ted with its rank.
template <class T, class Value, class Emit>
void sort_values(Threads& threads, int64_t count, const SetScratch<T>& s, Value value, Emit emit) {
  using Item = Keyed<KeyOf<T>>;
  Item *const one = reinterpret_cast<Item*>(s.others), *const two = one + count;
  each_element(threads, count, s, [&](int64_t i) { one[i] = {key_of(value(i)), static_cast<uint32_t>(i)}; });
  const Item* const sorted = radix_sort(threads, one, two, count, s.counts);
  each_element(threads, count, s,
               [&](int64_t rank) { emit(rank, number_of<T>(sorted[rank].key), sorted[rank].index); });
}

template <class T, class Weight>
bool is_constant(const T* sorted, int64_t count, Weight weight) {
  int64_t low = 0, high = count - 1;
  while (low < high && weight(low) == 0) ++low;
  while (low < high && weight(high) == 0) --high;
  return low >= high || sorted[low] == sorted[high];
}

// sums_k = sum_j p_j |z_k - z_j| = z_k (2 Q_k - P) + Z - 2 Z_k with the exclusive prefix sums Q of
// p and Z of p z; and the totals of both. Chunk c holds the ranks start(c) .. start(c + 1). Numbers
// 0 and 1 of the chunk sums are left as prefix sums.
template <class T, class Start, class Weight>
void add_distances(Threads& threads, const ChunkSums& chunks, Start start, Weight weight, Axis<T>& axis) {
  chunks.run(threads, [&](int64_t chunk, double* sums) {
    double total = 0, first = 0;
    for (int64_t i = start(chunk); i < start(chunk + 1); ++i) {
      const double p = weight(i);
      total += p;
      first += p * (static_cast<double>(axis.sorted[i]) - axis.centre);
    }
    sums[0] = total;
    sums[1] = first;
  });
  const auto before = chunks.exclusive(0, 2);
  axis.weight = before[0];
  axis.first = before[1];
  chunks.run(threads, [&](int64_t chunk, double* sums) {
    double total = sums[0], first = sums[1], mean = 0, squares = 0, second = 0;
    for (int64_t i = start(chunk); i < start(chunk + 1); ++i) {
      const double p = weight(i), z = static_cast<double>(axis.sorted[i]) - axis.centre;
      const double distances = z * (2 * total - axis.weight) + axis.first - 2 * first;
      axis.sums[i] = distances;
      total += p;
      first += p * z;
      mean += p * distances;
      squares += p * distances * distances;
      second += p * z * z;
    }
    sums[2] = mean;
    sums[3] = squares;
    sums[4] = second;
  });
  const auto totals = chunks.exclusive(2, 3);
  axis.mean = totals[2];
  axis.squares = totals[3];
  axis.second = totals[4];
}

// `order`: the elements by value, as numbers from `first` on; null where they are to be sorted.
template <class T>
Axis<T> make_axis(Threads& threads, const T* values, const T* weights, const int32_t* order, int64_t first,
                  double scale, int64_t count, const SetScratch<T>& s, Axis<T> axis) {
  const auto put = [&](int64_t rank, T value, uint32_t element) {
    axis.sorted[rank] = value;
    axis.order[rank] = element;
    if (weights) axis.weights[rank] = weights[element];
  };
  if (order)
    each_element(threads, count, s, [&](int64_t rank) {
      const int64_t element = order[rank] - first;
      put(rank, values[element], static_cast<uint32_t>(element));
    });
  else sort_values(threads, count, s, [&](int64_t i) { return values[i]; }, put);
  const auto weight = [&](int64_t rank) { return weights ? static_cast<double>(axis.weights[rank]) * scale : scale; };
  axis.constant = is_constant(axis.sorted, count, weight);
  axis.centre = static_cast<double>(axis.sorted[count / 2]);
  add_distances(
      threads, s.chunks, [&](int64_t chunk) { return std::min(count, chunk * chunk_elements); }, weight, axis);
  return axis;
}

// Chunks of x that begin with the first of equal values: chunk c begins at the group that holds
// rank c * chunk_elements.
template <class T>
void find_chunks(const T* sorted, int64_t count, const SetScratch<T>& s) {
  for (int64_t chunk = 0; chunk < s.chunks.chunks; ++chunk)
    s.chunk_starts[chunk] =
        std::lower_bound(sorted, sorted + chunk * chunk_elements, sorted[chunk * chunk_elements]) - sorted;
  s.chunk_starts[s.chunks.chunks] = count;
}

// One variable against the sorted y: what both directions and every gradient start from, in the
// order of x.
template <class T, class E>
struct Joint {
  Axis<T> x;
  E* elements;  // in the order of x
  double* beta;  // y's sums, in the order of x
};

template <class E, class T>
Joint<T, E> join(Threads& threads, const T* values, const Axis<T>& y, double scale, int64_t count,
                 const SetScratch<T>& s) {
  Joint<T, E> joint{{{s.y_rank, s.sums}, s.sorted, nullptr}, nullptr, nullptr};
  Axis<T>& x = joint.x;
  // The ranks lie where the sums will: they are needed until the elements are made.
  uint32_t* const rank_of = reinterpret_cast<uint32_t*>(s.sums);
  sort_values(
      threads, count, s, [&](int64_t i) { return values[y.order[i]]; },
      [&](int64_t rank, T value, uint32_t y_rank) {
        x.sorted[rank] = value;
        x.order[rank] = y_rank;
        rank_of[y_rank] = static_cast<uint32_t>(rank);
      });
  x.centre = static_cast<double>(x.sorted[count / 2]);
  E* const elements = reinterpret_cast<E*>(s.elements);
  each_element(threads, count, s, [&](int64_t i) {
    E e{};
    e.y = static_cast<double>(y.sorted[i]) - y.centre;
    e.p = y.weights ? static_cast<double>(y.weights[i]) * scale : scale;
    e.rank = rank_of[i];
    if constexpr (is_wide<E>) e.x = static_cast<double>(values[y.order[i]]) - x.centre;
    elements[i] = e;
  });
  E* const others = reinterpret_cast<E*>(s.others);
  joint.elements = sum_dominated(threads, elements, others, count, s.level);
  joint.beta = reinterpret_cast<double*>(joint.elements == elements ? others : elements);
  find_chunks(x.sorted, count, s);
  const auto weight = [&](int64_t rank) { return joint.elements[rank].p; };
  x.constant = is_constant(x.sorted, count, weight);
  add_distances(threads, s.chunks, [&](int64_t chunk) { return s.chunk_starts[chunk]; }, weight, x);
  return joint;
}

// E and F of every element take the places of `below` and `y`.
// Returns C = sum x dC/dx: C is homogeneous in x (Euler).
template <class T, class E>
double differentiate(Threads& threads, const Joint<T, E>& joint, const Axis<T>& y, const DistanceCoefficients& c,
                     const SetScratch<T>& s) {
  const Axis<T>& x = joint.x;
  s.chunks.run(threads, [&](int64_t chunk, double* sums) {
    double py = 0, p_beta = 0, p_alpha = 0;
    for (int64_t i = s.chunk_starts[chunk]; i < s.chunk_starts[chunk + 1]; ++i) {
      const E& e = joint.elements[i];
      const double beta = y.sums[x.order[i]];
      joint.beta[i] = beta;
      py += e.p * e.y;
      p_beta += e.p * beta;
      p_alpha += e.p * x.sums[i];
    }
    sums[1] = py;
    sums[2] = p_beta;
    sums[3] = p_alpha;
  });
  s.chunks.exclusive(1, 3);
  const DistanceTotals all{x.weight, x.first, x.mean, y.mean};
  s.chunks.run(threads, [&](int64_t chunk, double* sums) {
    DistanceSums before{sums[0], sums[1], sums[2], sums[3]};
    double total = 0;
    const int64_t end = s.chunk_starts[chunk + 1];
    for (int64_t begin = s.chunk_starts[chunk]; begin < end;) {
      int64_t after = begin;
      DistanceSums group{};
      do {
        const E& e = joint.elements[after];
        group.p += e.p;
        group.y += e.p * e.y;
        group.beta += e.p * joint.beta[after];
        group.alpha += e.p * x.sums[after];
      } while (++after < end && x.sorted[after] == x.sorted[begin]);
      const double z = static_cast<double>(x.sorted[begin]) - x.centre;
      double own_p = 0, own_y = 0;
      for (int64_t k = begin; k < after; ++k) {
        E& e = joint.elements[k];
        const DistanceElement element{e.below, z, e.y, e.p, x.sums[k], joint.beta[k], own_p, own_y};
        const DistanceSlopes slopes(c, element, before, group, all);
        own_p += e.p;
        own_y += e.p * e.y;
        e.below = slopes.e;
        e.y = slopes.f;
        total += 2 * e.p * z * e.below;
      }
      before.p += group.p;
      before.y += group.y;
      before.beta += group.beta;
      before.alpha += group.alpha;
      begin = after;
    }
    sums[4] = total;
  });
  return s.chunks.exclusive(4, 1)[4];
}

// Where the gradient by an element goes: to dx, or it is added to a sum; nowhere if both are null.
template <class T>
struct GradientOf {
  T* dx;
  double* sum;
};

// The value of one variable against a sorted y, and the gradient by each of its elements, times
// dvalue.
template <class T>
double variable(Threads& threads, const T* values, const Axis<T>& y, const DistanceCoefficients& c,
                const ups_distance_correlation_options& options, int64_t count, const SetScratch<T>& s, double dvalue,
                GradientOf<T> to) {
  if (!c.defined || y.constant) return 0;
  const Joint<T, Element> joint = join<Element>(threads, values, y, c.scale, count, s);
  if (joint.x.constant) return 0;
  const double covariance = differentiate(threads, joint, y, c, s);
  const DistanceValue result(options, covariance, joint.x.variance(c), y.variance(c));
  if (to.dx || to.sum) {
    const double of_e = 2 * dvalue * result.of_c, of_f = 4 * dvalue * result.of_vx;
    each_element(threads, count, s, [&](int64_t k) {
      const Element& e = joint.elements[k];
      const uint32_t element = y.order[joint.x.order[k]];
      const double gradient = e.p * (of_e * e.below + of_f * e.y);
      if (to.dx) to.dx[element] = static_cast<T>(gradient);
      else to.sum[element] += gradient;
    });
  }
  return result.value;
}

// The gradient by the weights, added to gradient[element]. S = sum p p a b needs all four moments
// of the dominated points: with G = sum p (x_k - x)(y_k - y), the four quadrants around element k
// give
//   W_k = sum_j p_j a_kj b_kj = 4 G(before in both) + G(all) - 2 G(before in x) - 2 G(before in y).
// One thread: weights are trained in few places, and there this is a second pass of the same order.
void differentiate_weights(const AxisSums& x, const AxisSums& y, WideElement* elements, double* all_beta,
                           const DistanceCoefficients& c, const ups_distance_correlation_options& options,
                           int64_t count, double dvalue, double* gradient) {
  uint32_t* const rank_of = reinterpret_cast<uint32_t*>(all_beta + count);
  for (int64_t k = 0; k < count; ++k) {
    all_beta[k] = y.sums[x.order[k]];
    rank_of[x.order[k]] = static_cast<uint32_t>(k);
  }
  struct Moments {
    double p = 0, x = 0, y = 0, xy = 0;
    void add(const WideElement& e) {
      p += e.p;
      x += e.p * e.x;
      y += e.p * e.y;
      xy += e.p * e.x * e.y;
    }
    double around(const WideElement& e) const { return e.x * (e.y * p - y) - e.y * x + xy; }
  };
  const auto in_y_order = [&](auto body) {
    for (int64_t i = 0; i < count; ++i) body(elements[rank_of[i]], rank_of[i]);
  };
  Moments all, before_in_x, before_in_y;
  for (int64_t k = 0; k < count; ++k) all.add(elements[k]);
  for (int64_t k = 0; k < count; ++k) {
    WideElement& e = elements[k];
    e.products = 4 * e.products + all.around(e) - 2 * before_in_x.around(e);
    before_in_x.add(e);
  }
  in_y_order([&](WideElement& e, uint32_t) {
    e.products -= 2 * before_in_y.around(e);
    before_in_y.add(e);
  });

  double pairs = 0, sums = 0;  // sum p W, sum p alpha beta
  for (int64_t k = 0; k < count; ++k) {
    const WideElement& e = elements[k];
    pairs += e.p * e.products;
    sums += e.p * x.sums[k] * all_beta[k];
  }
  const DistanceValue result(options, c.c1 * pairs - 2 * c.c2 * sums + c.c3 * x.mean * y.mean, x.variance(c),
                             y.variance(c));
  // With the weights as given, c2 = 2 - sum p moves as well.
  double moved = 0;
  if (options.weight_sum == UPS_WEIGHTS_GIVEN)
    moved = 2 * (result.of_c * (sums - c.c2 * x.mean * y.mean) + result.of_vx * (x.squares - c.c2 * x.mean * x.mean) +
                 result.of_vy * (y.squares - c.c2 * y.mean * y.mean));

  // sum_i weight_i p_i |z_k - z_i| of sorted z, element by element.
  struct Spread {
    double total = 0, total_z = 0, before = 0, before_z = 0;
    void count_in(double p, double z) {
      total += p;
      total_z += p * z;
    }
    double pass(double p, double z) {
      const double sum = z * (2 * before - total) + total_z - 2 * before_z;
      before += p;
      before_z += p * z;
      return sum;
    }
  };
  Spread beta_in_x, alpha_in_x, alpha_in_y, beta_in_y;
  for (int64_t k = 0; k < count; ++k) {
    const WideElement& e = elements[k];
    beta_in_x.count_in(e.p * all_beta[k], e.x);
    alpha_in_x.count_in(e.p * x.sums[k], e.x);
    alpha_in_y.count_in(e.p * x.sums[k], e.y);
    beta_in_y.count_in(e.p * all_beta[k], e.y);
  }
  for (int64_t k = 0; k < count; ++k) {
    WideElement& e = elements[k];
    const double alpha = x.sums[k], beta = all_beta[k];
    const double of_c = c.c1 * e.products - c.c2 * (alpha * beta + beta_in_x.pass(e.p * beta, e.x)) +
                        c.c3 * (alpha * y.mean + x.mean * beta);
    const double of_vx = c.c1 * (x.weight * e.x * e.x - 2 * e.x * x.first + x.second) -
                         c.c2 * (alpha * alpha + 2 * alpha_in_x.pass(e.p * alpha, e.x)) + 2 * c.c3 * alpha * x.mean;
    e.below = 2 * (result.of_c * of_c + result.of_vx * of_vx) + moved;
  }
  double common = 0;
  in_y_order([&](WideElement& e, uint32_t k) {
    const double alpha = x.sums[k], beta = all_beta[k];
    const double of_vy = c.c1 * (y.weight * e.y * e.y - 2 * e.y * y.first + y.second) -
                         c.c2 * (beta * beta + 2 * beta_in_y.pass(e.p * beta, e.y)) + 2 * c.c3 * beta * y.mean;
    e.below += 2 * (result.of_vy * of_vy - result.of_c * c.c2 * alpha_in_y.pass(e.p * alpha, e.y));
    common += e.p * e.below;
  });
  // p = w / sum w: a common factor of all weights changes nothing.
  if (options.weight_sum == UPS_WEIGHTS_GIVEN) common = 0;
  for (int64_t k = 0; k < count; ++k) gradient[y.order[x.order[k]]] += dvalue * c.scale * (elements[k].below - common);
}

template <class T>
void add_weight_gradient_of(Threads& threads, const T* values, const Axis<T>& y, const DistanceCoefficients& c,
                            const ups_distance_correlation_options& options, int64_t count, const SetScratch<T>& s,
                            double dvalue, double* gradient) {
  if (!c.defined || y.constant) return;
  const Joint<T, WideElement> joint = join<WideElement>(threads, values, y, c.scale, count, s);
  if (joint.x.constant) return;
  differentiate_weights(joint.x, y, joint.elements, joint.beta, c, options, count, dvalue, gradient);
}

template <class T>
struct Plan {
  const DistanceCorrelation<T>& f;
  Threads& threads;
  AxisMemory<T> y;
  Axis<T>* axes;  // of y, by set
  DistanceCoefficients* coefficients;
  double *dy, *dweights;  // before they are rounded
  Scratch<T>* scratch;  // one for each task that runs at once
  int32_t copies;

  // Small batches run variables and sets side by side, each worker with scratch of its own; in
  // large ones the sets share it, and a large set has all threads.
  Plan(const DistanceCorrelation<T>& f_, Threads& threads_, WorkspaceLayout& workspace)
      : f(f_), threads(threads_), y(f.elements, f.weights != nullptr, workspace),
        axes(workspace.reserve<Axis<T>>(f.sets)), coefficients(workspace.reserve<DistanceCoefficients>(f.sets)),
        dy(f.dy ? workspace.reserve<double>(f.elements) : nullptr),
        dweights(f.dweights ? workspace.reserve<double>(f.elements) : nullptr),
        scratch(workspace.reserve<Scratch<T>>(threads.count())),
        copies(f.elements <= block_elements ? threads.count() : 1) {
    for (int32_t copy = 0; copy < copies; ++copy) {
      const Scratch<T> made(f.elements, f.sets, f.weights != nullptr, f.dweights != nullptr, f.dy != nullptr,
                            workspace);
      if (axes) new (scratch + copy) Scratch<T>(made);
    }
    // Sets of one worker each: their sorts need counts of their own.
    worker_counts = workspace.reserve<uint32_t>(threads.count() * sort_digits);
  }
  uint32_t* worker_counts;

  int64_t first(int64_t set) const { return f.offsets[set]; }
  int64_t count(int64_t set) const { return f.offsets[set + 1] - f.offsets[set]; }
  bool is_large(int64_t set) const { return count(set) > block_elements; }
  SetScratch<T> of(int64_t set, int32_t worker) const {
    const Scratch<T>& mine = scratch[copies > 1 ? worker : 0];
    return SetScratch<T>(mine, first(set), count(set), set,
                         is_large(set) ? mine.counts : worker_counts + worker * sort_digits);
  }

  // body(threads, set, worker): small sets one per task, large ones after each other with every
  // thread.
  template <class Body>
  void each_set(int64_t times, Body&& body) {
    threads.run(f.sets * times, [&](int64_t task, int32_t worker) {
      Threads alone(1);
      if (!is_large(task / times)) body(alone, task / times, task % times, worker);
    });
    for (int64_t set = 0; set < f.sets; ++set)
      for (int64_t time = 0; is_large(set) && time < times; ++time) body(threads, set, time, 0);
  }

  void sort_y() {
    each_set(1, [&](Threads& task_threads, int64_t set, int64_t, int32_t worker) {
      const T* const weights = f.weights ? f.weights + first(set) : nullptr;
      double sum = static_cast<double>(count(set));
      if (weights) {
        sum = 0;
        for (int64_t i = 0; i < count(set); ++i) sum += static_cast<double>(weights[i]);
      }
      new (coefficients + set) DistanceCoefficients(f.options, count(set), sum);
      Axis<T> axis = y.at(first(set));
      if (coefficients[set].defined)
        axis = make_axis(task_threads, f.y + first(set), weights, f.order ? f.order + first(set) : nullptr, first(set),
                         coefficients[set].scale, count(set), of(set, worker), axis);
      new (axes + set) Axis<T>(axis);
    });
  }

  void one(Threads& task_threads, int64_t set, int64_t k, int32_t worker) {
    const SetScratch<T> s = of(set, worker);
    const DistanceCoefficients& c = coefficients[set];
    const T* const x = f.x + k * f.elements + first(set);
    const int64_t n = count(set);
    const double dvalue = f.dvalue ? f.dvalue[k * f.sets + set] : 0;
    T* const dx = f.dx ? f.dx + k * f.elements + first(set) : nullptr;
    if (f.dx || f.value) {
      const double value = variable(task_threads, x, axes[set], c, f.options, n, s, dvalue, {dx, nullptr});
      if (f.value) f.value[k * f.sets + set] = value;
    }
    if (f.dy && c.defined) {
      const T* const weights = f.weights ? f.weights + first(set) : nullptr;
      const Scratch<T>& mine = scratch[copies > 1 ? worker : 0];
      const Axis<T> axis = make_axis(task_threads, x, weights, nullptr, 0, c.scale, n, s, mine.swapped.at(first(set)));
      variable(task_threads, f.y + first(set), axis, c, f.options, n, s, dvalue, {nullptr, dy + first(set)});
    }
    if (f.dweights)
      add_weight_gradient_of(task_threads, x, axes[set], c, f.options, n, s, dvalue, dweights + first(set));
  }

  void run() {
    sort_y();
    const bool sums_over_variables = f.dy || f.dweights;
    if (!sums_over_variables)
      return each_set(f.variables, [&](Threads& task_threads, int64_t set, int64_t k, int32_t worker) {
        one(task_threads, set, k, worker);
      });
    each_set(1, [&](Threads& task_threads, int64_t set, int64_t, int32_t worker) {
      for (int64_t k = 0; k < f.variables; ++k) one(task_threads, set, k, worker);
    });
  }
};

template <class T>
ups_status forward(const Call& call) {
  const DistanceCorrelationForward<T> f(call);
  scratch_of<Plan<T>>(call, f).run();
  return UPS_OK;
}

template <class T>
ups_status backward(const Call& call) {
  const DistanceCorrelationBackward<T> f(call);
  auto plan = scratch_of<Plan<T>>(call, f);
  clear(f.dx, f.variables * f.elements);
  clear(plan.dy, f.elements);
  clear(plan.dweights, f.elements);
  plan.run();
  for (int64_t i = 0; f.dy && i < f.elements; ++i) f.dy[i] = static_cast<T>(plan.dy[i]);
  for (int64_t i = 0; f.dweights && i < f.elements; ++i) f.dweights[i] = static_cast<T>(plan.dweights[i]);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, DistanceCorrelationForwardCall, forward<float>,
                workspace_of<DistanceCorrelationForward<float>, Plan<float>>)
UPS_CPU_VARIANT(backward, DistanceCorrelationBackwardCall, backward<float>,
                workspace_of<DistanceCorrelationBackward<float>, Plan<float>>)
UPS_CPU_VARIANT_F64(forward, DistanceCorrelationForwardCall, forward<double>,
                    workspace_of<DistanceCorrelationForward<double>, Plan<double>>)
UPS_CPU_VARIANT_F64(backward, DistanceCorrelationBackwardCall, backward<double>,
                    workspace_of<DistanceCorrelationBackward<double>, Plan<double>>)

UPS_SIMD_END
