// SIMD: columns lie across the vectors, a worker has a problem. Floor: for each column of each step
// of a search one cost is read from L1 (64 x 64 float64), L2 (300 x 300) or beyond, against three
// sums, three comparisons and 48 bytes of state that stays in L1: 7 instructions a vector. A column
// that was reached has the distance NaN, which no comparison chooses, so there are no masks; the
// order in which scipy would examine the columns matters only among equal ones, so columns are
// scanned as they lie in memory, and that order is worked out when there is a tie. Problems of one
// or two vectors of columns wait instead for one step's result to begin the next, about 60 cycles
// (three sums, the least of the lanes, its place, its row): they keep all in registers.
#include "linear_sum_assignment/linear_sum_assignment.h"

#include "lib/kernel.h"
#include "linear_sum_assignment/linear_sum_assignment_call.h"

#define UPS_SIMD_SOURCE "linear_sum_assignment/linear_sum_assignment.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

typedef double Doubles __attribute__((vector_size(UPS_LANES * 4)));
typedef int64_t Longs __attribute__((vector_size(UPS_LANES * 4)));
typedef float HalfFloats __attribute__((vector_size(UPS_LANES * 2)));
constexpr int wide_lanes = UPS_LANES / 2;
constexpr unsigned all_lanes = (1u << wide_lanes) - 1;
constexpr int64_t task_costs = 4096;

template <class V, class T>
[[gnu::always_inline]] inline V read(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class V, class T>
[[gnu::always_inline]] inline void write(T* to, V v) {
  std::memcpy(to, &v, sizeof v);
}
[[gnu::always_inline]] inline Doubles all(double value) { return value - Doubles{}; }

[[gnu::always_inline]] inline Doubles wide(const double* from) { return read<Doubles>(from); }
[[gnu::always_inline]] inline Doubles wide(const float* from) {
  return __builtin_convertvector(read<HalfFloats>(from), Doubles);
}
// The first `count` of a vector, the others are 0.
#if defined(UPS_HAS_AVX2) && UPS_LANES == 8
[[gnu::always_inline]] inline Doubles wide_first(const double* from, int64_t count) {
  alignas(64) static constexpr int64_t ones_then_zeros[8] = {-1, -1, -1, -1};
  return _mm256_maskload_pd(from, read<__m256i>(ones_then_zeros + 4 - count));
}
[[gnu::always_inline]] inline Doubles wide_first(const float* from, int64_t count) {
  alignas(32) static constexpr int32_t ones_then_zeros[8] = {-1, -1, -1, -1};
  const __m128 narrow = _mm_maskload_ps(from, read<__m128i>(ones_then_zeros + 4 - count));
  return __builtin_convertvector(reinterpret_cast<HalfFloats>(narrow), Doubles);
}
#else
[[gnu::always_inline]] inline Doubles wide_first(const double* from, int64_t count) {
#if defined(UPS_HAS_AVX512)
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
#else
  Doubles v{};
  for (int64_t i = 0; i < count; ++i) v[i] = from[i];
  return v;
#endif
}
[[gnu::always_inline]] inline Doubles wide_first(const float* from, int64_t count) {
#if defined(UPS_HAS_AVX512)
  const __m256 narrow = _mm256_maskz_loadu_ps(static_cast<__mmask8>((1u << count) - 1), from);
  return __builtin_convertvector(reinterpret_cast<HalfFloats>(narrow), Doubles);
#else
  Doubles v{};
  for (int64_t i = 0; i < count; ++i) v[i] = static_cast<double>(from[i]);
  return v;
#endif
}
#endif

// A bit for every lane where it holds.
[[gnu::always_inline]] inline unsigned bits_of(Longs mask) {
#if defined(UPS_HAS_AVX2) && UPS_LANES == 8
  return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask)));
#elif defined(__x86_64__) && UPS_LANES == 4
  return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(mask)));
#else
  unsigned bits = 0;
  for (int lane = 0; lane < wide_lanes; ++lane) bits |= mask[lane] ? 1u << lane : 0;
  return bits;
#endif
}
[[gnu::always_inline]] inline unsigned equal(Doubles a, Doubles b) {
#if defined(UPS_HAS_AVX512)
  return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ);
#else
  return bits_of(a == b);
#endif
}
[[gnu::always_inline]] inline unsigned greater(Doubles a, Doubles b) {
#if defined(UPS_HAS_AVX512)
  return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ);
#else
  return bits_of(a > b);
#endif
}
[[gnu::always_inline]] inline Doubles lesser(Doubles a, Doubles b) { return a < b ? a : b; }
// The least of all lanes, in every lane.
[[gnu::always_inline]] inline Doubles lowest_of(Doubles v) {
#if UPS_LANES == 16
  v = lesser(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = lesser(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  return lesser(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
#elif UPS_LANES == 8
  v = lesser(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));
  return lesser(v, __builtin_shufflevector(v, v, 1, 0, 3, 2));
#else
  return lesser(v, __builtin_shufflevector(v, v, 1, 0));
#endif
}

template <class V, class T>
[[gnu::always_inline]] inline void fill(T* to, int64_t count, V v) {
  constexpr auto step = static_cast<int64_t>(sizeof(V) / sizeof(T));
  for (int64_t i = 0; i < count; i += step) write(to + i, v);
}

// What a worker keeps of the problem that it solves; rows are the shorter side. Arrays may be
// written a vector beyond their end.
struct State {
  double *u, *v, *distance;  // of columns from the row whose search it is; NaN once reached
  int64_t* path;  // by which row a column was reached
  int32_t *column_of_row, *row_of_column;
  int32_t* reached;  // columns in the order of the search, and how far they were
  double* reached_distance;
  int32_t *remaining, *position;  // scipy's order of the columns not yet reached, and where each is in it

  State(int64_t longest, WorkspaceLayout& workspace) {
    const int64_t padded = round_up(longest, lanes) + lanes;
    for (double** piece : {&u, &v, &distance, &reached_distance}) *piece = workspace.reserve<double>(padded);
    path = workspace.reserve<int64_t>(padded);
    for (int32_t** piece : {&column_of_row, &row_of_column, &reached, &remaining, &position})
      *piece = workspace.reserve<int32_t>(padded);
  }
};

// scipy's order: the last column first, and the last of those that remain takes the place of one
// that is reached.
class Order {
 public:
  Order(const State& state, int64_t columns) : s_(state), columns_(columns) {}
  // Makes s.position hold when `count` columns are reached.
  void follow(int64_t count) {
    if (followed_ < 0) {
      const auto last = static_cast<int32_t>(columns_ - 1);
      for (int32_t j = 0; j <= last; ++j) s_.remaining[j] = s_.position[j] = last - j;
      followed_ = 0;
    }
    for (; followed_ < count; ++followed_) {
      const int32_t at = s_.position[s_.reached[followed_]], moved = s_.remaining[columns_ - 1 - followed_];
      s_.remaining[at] = moved;
      s_.position[moved] = at;
    }
  }

 private:
  const State& s_;
  int64_t columns_, followed_ = -1;
};

template <class T>
struct Problem {
  const T* cost;  // [rows, columns], rows <= columns
  int64_t rows, columns;
  bool maximize;

  Doubles signed_cost(Doubles c) const { return maximize ? -c : c; }
  bool is_valid(int64_t row) const {
    bool valid = true;
    for (int64_t j = 0; j < columns; ++j) {
      const T value = cost[row * columns + j];
      valid &= (maximize ? -value : value) > -std::numeric_limits<T>::infinity();
    }
    return valid;
  }
};

// One step of a search: distances by way of `row`, which is `so_far` away; returns the least of
// columns not yet reached. The first step of a search also looks at the costs' validity.
template <bool first, class T>
[[gnu::always_inline]] inline Doubles step(const Problem<T>& p, const State& s, int64_t row, Doubles so_far,
                                           bool* valid) {
  const T* const cost = p.cost + row * p.columns;
  const double* const duals = s.v;
  double* const distances = s.distance;
  int64_t* const path = s.path;
  const int64_t columns = p.columns;
  const Doubles far = all(INFINITY), dual = all(s.u[row]);
  const Longs by_row = row - Longs{};
  Doubles lowest = far;
  unsigned sound = all_lanes;
  const auto one = [&](int64_t j, Doubles unsigned_cost) __attribute__((always_inline)) {
    const Doubles c = p.signed_cost(unsigned_cost), v = read<Doubles>(duals + j);
    if (first) sound &= greater(c, -far);
    // The dual of the row whose search begins is 0.
    const Doubles along = first ? c - v : so_far + c - dual - v;
    const Doubles before = first ? far : read<Doubles>(distances + j);
    const Doubles now = lesser(along, before);
    write(path + j, first ? by_row : along < before ? by_row : read<Longs>(path + j));
    write(distances + j, now);
    lowest = lesser(now, lowest);
  };
  int64_t j = 0;
  for (; j + wide_lanes <= columns; j += wide_lanes) one(j, wide(cost + j));
  if (j < columns) one(j, wide_first(cost + j, columns - j));
  if (first) *valid = sound == all_lanes;
  return lowest_of(lowest);
}

// Whether column j comes before `best`, which is as near: a column without a partner, of several
// the last in scipy's order, else the first. `reached` columns are reached.
inline bool is_preferred(const State& s, int32_t j, int32_t best, Order& order, int64_t reached) {
  order.follow(reached);
  const bool is_free = s.row_of_column[j] < 0, best_is_free = s.row_of_column[best] < 0;
  if (is_free != best_is_free) return is_free;
  return is_free == (s.position[j] > s.position[best]);
}

// Of the columns at distance `lowest` the one that scipy would take.
inline int32_t nearest(const State& s, int64_t columns, Doubles lowest, Order& order, int64_t reached) {
  constexpr int64_t group = 64;
  int32_t best = -1;
  for (int64_t first = 0; first < columns; first += group) {
    uint64_t bits = 0;
    for (int64_t j = first; j < std::min(first + group, columns); j += wide_lanes)
      bits |= static_cast<uint64_t>(equal(read<Doubles>(s.distance + j), lowest)) << (j - first);
    for (; bits; bits &= bits - 1) {
      const auto j = static_cast<int32_t>(first + __builtin_ctzll(bits));
      if (best < 0 || is_preferred(s, j, best, order, reached)) best = j;
    }
  }
  return best;
}

// The pairs along the path from row `start` to `column` change their partners.
inline void turn(const State& s, const int64_t* path, int64_t start, int32_t column) {
  for (int64_t row = -1; row != start;) {
    row = path[column];
    s.row_of_column[column] = static_cast<int32_t>(row);
    const int32_t before = s.column_of_row[row];
    s.column_of_row[row] = column;
    column = before;
  }
}

// Gives row `start` a partner by the shortest augmenting path.
template <class T>
int32_t augment(const Problem<T>& p, const State& s, int64_t start) {
  bool valid = true;
  Doubles so_far = step<true>(p, s, start, Doubles{}, &valid);
  if (!valid) return UPS_ASSIGNMENT_INVALID;
  Order order(s, p.columns);
  int64_t count = 0;
  int32_t column = -1;
  while (so_far[0] < INFINITY) {
    column = nearest(s, p.columns, so_far, order, count);
    const int32_t row = s.row_of_column[column];
    if (row < 0) break;
    s.distance[column] = NAN;
    s.reached[count] = column;
    s.reached_distance[count++] = so_far[0];
    column = -1;
    so_far = step<false>(p, s, row, so_far, &valid);
  }
  if (column < 0) return UPS_ASSIGNMENT_INFEASIBLE;
  s.u[start] += so_far[0];
  for (int64_t k = 0; k < count; ++k) {
    const double gain = so_far[0] - s.reached_distance[k];
    s.u[s.row_of_column[s.reached[k]]] += gain;
    s.v[s.reached[k]] -= gain;
  }
  turn(s, s.path, start, column);
  return UPS_ASSIGNMENT_OPTIMAL;
}

// What is wrong where row `start` found no partner: later rows may have costs that are NaN or
// infinite.
template <class T>
int32_t failure(const Problem<T>& p, int64_t start, int32_t status) {
  for (int64_t row = start + 1; row < p.rows; ++row)
    if (!p.is_valid(row)) return UPS_ASSIGNMENT_INVALID;
  return status;
}

// The same for problems so narrow that duals, distances and paths of all columns stay in registers.
// Kept in memory, a single column's number written, as a reached one's is, makes the load of its
// vector in the next step wait.
template <class T, int vectors>
struct Narrow {
  const Problem<T>& p;
  const State& s;
  Longs numbers[vectors] = {};  // of the columns, and of the rows, which are no more
  Doubles u[vectors] = {}, v[vectors] = {};

  Narrow(const Problem<T>& problem, const State& state) : p(problem), s(state) {
    for (int k = 0; k < vectors; ++k)
      for (int lane = 0; lane < wide_lanes; ++lane) {
        numbers[k][lane] = k * wide_lanes + lane;
        v[k][lane] = k * wide_lanes + lane < p.columns ? 0 : NAN;  // behind the last column no distance is less
      }
  }
  [[gnu::always_inline]] Doubles cost(const T* row, int k) const {
    const int64_t left = p.columns - k * wide_lanes;
    return p.signed_cost(k + 1 < vectors || left == wide_lanes ? wide(row + k * wide_lanes)
                                                               : wide_first(row + k * wide_lanes, left));
  }

  [[gnu::always_inline]] int32_t augment(int64_t start) {
    Doubles distance[vectors], column_at[vectors], row_at[vectors];  // how far it was when it was reached, or NaN
    Longs path[vectors];
    Doubles lowest = all(INFINITY);
    unsigned sound = all_lanes;
    for (int k = 0; k < vectors; ++k) {
      const Doubles c = cost(p.cost + start * p.columns, k);
      sound &= greater(c, -all(INFINITY));
      distance[k] = lesser(c - v[k], all(INFINITY));
      path[k] = start - Longs{};
      column_at[k] = all(NAN);
      row_at[k] = numbers[k] == path[k] ? Doubles{} : all(NAN);
      lowest = lesser(distance[k], lowest);
    }
    if (sound != all_lanes) return UPS_ASSIGNMENT_INVALID;
    lowest = lowest_of(lowest);
    Order order(s, p.columns);
    int32_t column = -1;
    int64_t count = 0;
    for (; lowest[0] < INFINITY; ++count) {
      column = nearest_of(distance, lowest, order, count);
      const int32_t row = s.row_of_column[column];
      if (row < 0) break;
      s.reached[count] = column;
      const Doubles so_far = lowest, dual = all(s.u[row]);
      const T* const costs = p.cost + row * p.columns;
      const Longs by_row = row - Longs{}, here = column - Longs{};
      lowest = all(INFINITY);
      column = -1;
      for (int k = 0; k < vectors; ++k) {
        const Doubles before = numbers[k] == here ? all(NAN) : distance[k];
        const Doubles along = so_far + cost(costs, k) - dual - v[k];
        column_at[k] = numbers[k] == here ? so_far : column_at[k];
        row_at[k] = numbers[k] == by_row ? so_far : row_at[k];
        path[k] = along < before ? by_row : path[k];
        distance[k] = lesser(along, before);
        lowest = lesser(distance[k], lowest);
      }
      lowest = lowest_of(lowest);
    }
    if (column < 0) return UPS_ASSIGNMENT_INFEASIBLE;
    for (int k = 0; k < vectors; ++k) {
      u[k] = row_at[k] == row_at[k] ? u[k] + (lowest - row_at[k]) : u[k];
      v[k] = column_at[k] == column_at[k] ? v[k] - (lowest - column_at[k]) : v[k];
      write(s.u + k * wide_lanes, u[k]);
    }
    if (count == 0) {
      s.row_of_column[column] = static_cast<int32_t>(start);
      s.column_of_row[start] = column;
      return UPS_ASSIGNMENT_OPTIMAL;
    }
    for (int k = 0; k < vectors; ++k) write(s.path + k * wide_lanes, path[k]);
    turn(s, s.path, start, column);
    return UPS_ASSIGNMENT_OPTIMAL;
  }

  [[gnu::always_inline]] int32_t nearest_of(const Doubles (&distance)[vectors], Doubles lowest, Order& order,
                                            int64_t reached) const {
    unsigned bits = 0;
    for (int k = 0; k < vectors; ++k) bits |= equal(distance[k], lowest) << (k * wide_lanes);
    int32_t best = __builtin_ctz(bits);
    while (__builtin_expect((bits &= bits - 1) != 0, 0))
      if (is_preferred(s, __builtin_ctz(bits), best, order, reached)) best = __builtin_ctz(bits);
    return best;
  }

  static int32_t solve(const Problem<T>& problem, const State& state) {
    Narrow narrow(problem, state);
    for (int64_t start = 0; start < problem.rows; ++start) {
      const int32_t status = narrow.augment(start);
      if (status != UPS_ASSIGNMENT_OPTIMAL) return failure(problem, start, status);
    }
    for (int k = 0; k < vectors; ++k) write(state.v + k * wide_lanes, narrow.v[k]);
    return UPS_ASSIGNMENT_OPTIMAL;
  }
};

template <class T>
int32_t solve(const Problem<T>& p, const State& s) {
  fill(s.u, p.rows, Doubles{});
  fill(s.column_of_row, p.rows, Ints{} - 1);
  fill(s.row_of_column, p.columns, Ints{} - 1);
  if (p.columns <= wide_lanes) return Narrow<T, 1>::solve(p, s);
  if (p.columns <= 2 * wide_lanes) return Narrow<T, 2>::solve(p, s);
  fill(s.v, p.columns, Doubles{});
  // Lanes behind the last column: no distance is less than NaN.
  write(s.v + p.columns, all(NAN));
  write(s.distance + p.columns, all(NAN));
  for (int64_t start = 0; start < p.rows; ++start) {
    const int32_t status = augment(p, s, start);
    if (status != UPS_ASSIGNMENT_OPTIMAL) return failure(p, start, status);
  }
  return UPS_ASSIGNMENT_OPTIMAL;
}

template <class T>
void transpose(const T* from, T* to, int64_t rows, int64_t columns) {
  constexpr int64_t tile = 16;
  for (int64_t i = 0; i < rows; i += tile)
    for (int64_t j = 0; j < columns; j += tile)
      for (int64_t jj = j; jj < std::min(j + tile, columns); ++jj)
        for (int64_t ii = i; ii < std::min(i + tile, rows); ++ii) to[jj * rows + ii] = from[ii * columns + jj];
}

template <class T>
struct Plan {
  const Assignments<T>& f;
  int64_t *first_costs, *first_pairs;
  T* turned;  // as long as all costs; only problems with more rows than columns touch it
  State* states;

  Plan(const Assignments<T>& call, int32_t workers, WorkspaceLayout& workspace) : f(call) {
    first_costs = workspace.reserve<int64_t>(f.problems + 1);
    first_pairs = workspace.reserve<int64_t>(f.problems + 1);
    turned = workspace.reserve<T>(f.costs);
    states = workspace.reserve<State>(workers);
    const int64_t longest = std::max(f.rows_of_all, f.columns_of_all);
    for (int32_t worker = 0; worker < workers; ++worker) {
      const State state(longest, workspace);
      if (states) new (states + worker) State(state);
    }
  }

  void one(int64_t b, const State& s) const {
    const int64_t first_cost = first_costs[b], first_pair = first_pairs[b];
    if (!f.has(b, first_cost, first_pair))
      return write_failure(f, b, first_pair, first_pairs[b + 1], UPS_ASSIGNMENT_MISSING);
    Problem<T> p{f.cost + first_cost, f.rows(b), f.columns(b), f.maximize};
    if (p.rows > p.columns) {
      transpose(p.cost, turned + first_cost, p.rows, p.columns);
      p.cost = turned + first_cost;
      std::swap(p.rows, p.columns);
    }
    const int32_t status = solve(p, s);
    if (status != UPS_ASSIGNMENT_OPTIMAL) return write_failure(f, b, first_pair, first_pairs[b + 1], status);
    write_success(f, b, first_cost, first_pair, s.column_of_row, s.row_of_column, s.u, s.v);
  }
};

// Tasks are windows of the costs: a task has the problems that begin in it.
template <class T>
ups_status run(const Call& call) {
  const Assignments<T> f(call);
  const auto plan = scratch_of<Plan<T>>(call, f);
  find_beginnings(f, plan.first_costs, plan.first_pairs);
  const auto place = [&](int64_t b) { return plan.first_costs[b] + 32 * b; };
  call.threads->run(ceil_div(place(f.problems), task_costs), [&](int64_t task, int32_t worker) {
    int64_t low = 0, high = f.problems;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (place(middle) >= task * task_costs) high = middle;
      else low = middle + 1;
    }
    for (int64_t b = low; b < f.problems && place(b) < (task + 1) * task_costs; ++b) plan.one(b, plan.states[worker]);
  });
  clear_outside(f, plan.first_pairs[f.problems]);
  return UPS_OK;
}

UPS_CPU_VARIANT(run, LinearSumAssignmentCall, run<float>, workspace_of<Assignments<float>, Plan<float>>)
UPS_CPU_VARIANT_F64(run, LinearSumAssignmentCall, run<double>, workspace_of<Assignments<double>, Plan<double>>)

UPS_SIMD_END
