// SIMD: columns lie across the vectors, a worker has a problem. Floor: for each column of each step of a search one cost
// is read from L1 (64 x 64 float64), L2 (300 x 300) or beyond, against three sums, three comparisons and 48 bytes of
// state that stays in L1: 7 instructions a vector. A column that was reached has the distance NaN, which no comparison
// chooses, so there are no masks; the order in which scipy would examine the columns matters only among equal ones, so
// columns are scanned as they lie in memory, and the order is kept beside them by exchanging two numbers a step.
#include "linear_sum_assignment/linear_sum_assignment.h"

#include "common/kernel.h"
#include "linear_sum_assignment/linear_sum_assignment_call.h"

#define UPS_SIMD_SOURCE "linear_sum_assignment/linear_sum_assignment.cpu.cc"
#include "common/each_isa.h"

UPS_SIMD_BEGIN

typedef double Doubles __attribute__((vector_size(UPS_LANES * 4)));
typedef int64_t Longs __attribute__((vector_size(UPS_LANES * 4)));
typedef float HalfFloats __attribute__((vector_size(UPS_LANES * 2)));
constexpr int wide_lanes = UPS_LANES / 2;
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

// A bit for every lane whose mask is set.
[[gnu::always_inline]] inline unsigned bits_of(Longs mask) {
#if defined(UPS_HAS_AVX512)
  return _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask));
#elif defined(UPS_HAS_AVX2) && UPS_LANES == 8
  return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask)));
#elif defined(__x86_64__) && UPS_LANES == 4
  return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(mask)));
#else
  unsigned bits = 0;
  for (int lane = 0; lane < wide_lanes; ++lane) bits |= mask[lane] ? 1u << lane : 0;
  return bits;
#endif
}
[[gnu::always_inline]] inline double lowest_of(Doubles v) {
  double lanes_of[wide_lanes];
  write(lanes_of, v);
  for (int half = wide_lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes_of[i] = lanes_of[i + half] < lanes_of[i] ? lanes_of[i + half] : lanes_of[i];
  return lanes_of[0];
}

// What a worker keeps of the problem that it solves; rows are the shorter side.
struct State {
  double *u, *v, *distance;  // of columns from the row whose search it is; NaN once reached
  int64_t* path;             // by which row a column was reached
  int32_t *column_of_row, *row_of_column;
  int32_t *remaining, *position;  // scipy's order of the columns not yet reached, and where each is in it
  int32_t *reached, *reached_at;  // columns in order, and their positions then
  double* reached_distance;

  State(int64_t longest, Pieces& pieces) {
    const int64_t padded = round_up(longest, wide_lanes) + wide_lanes;
    for (double** piece : {&u, &v, &distance, &reached_distance}) *piece = pieces.take<double>(padded);
    path = pieces.take<int64_t>(padded);
    for (int32_t** piece : {&column_of_row, &row_of_column, &remaining, &position, &reached, &reached_at})
      *piece = pieces.take<int32_t>(padded);
  }
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

// One step of a search: distances by way of `row`, which is `so_far` away; returns the least of columns not yet reached.
// The first step of a search also looks at the costs' validity.
template <bool first, class T>
[[gnu::always_inline]] inline double step(const Problem<T>& p, const State& s, int64_t row, double so_far, bool* valid) {
  const T* const cost = p.cost + row * p.columns;
  const Doubles far = all(INFINITY), before_row = all(so_far), dual = all(s.u[row]);
  const Longs by_row = row - Longs{};
  Doubles lowest = far;
  Longs sound = Longs{} - 1;
  const auto one = [&](int64_t j, Doubles unsigned_cost) __attribute__((always_inline)) {
    const Doubles c = p.signed_cost(unsigned_cost), v = read<Doubles>(s.v + j);
    if (first) sound &= c > -far;
    // The dual of the row whose search begins is 0.
    const Doubles along = first ? c - v : before_row + c - dual - v;
    const Doubles before = first ? far : read<Doubles>(s.distance + j);
    const Doubles now = along < before ? along : before;
    write(s.path + j, first ? by_row : along < before ? by_row : read<Longs>(s.path + j));
    write(s.distance + j, now);
    lowest = now < lowest ? now : lowest;
  };
  int64_t j = 0;
  for (; j + wide_lanes <= p.columns; j += wide_lanes) one(j, wide(cost + j));
  if (j < p.columns) one(j, wide_first(cost + j, p.columns - j));
  if (first) *valid = bits_of(sound) == (1u << wide_lanes) - 1;
  return lowest_of(lowest);
}

// Of the columns at distance `lowest` the one without a partner that is last in scipy's order, else the first.
inline int32_t nearest(const State& s, int64_t columns, double lowest) {
  int32_t best = -1, best_position = 0;
  bool best_free = false;
  for (int64_t first = 0; first < columns; first += wide_lanes) {
    for (unsigned bits = bits_of(read<Doubles>(s.distance + first) == all(lowest)); bits; bits &= bits - 1) {
      const auto j = static_cast<int32_t>(first + __builtin_ctz(bits));
      const int32_t position = s.position[j];
      const bool is_free = s.row_of_column[j] < 0;
      const bool better = is_free != best_free ? is_free : is_free ? position > best_position : position < best_position;
      if (best >= 0 && !better) continue;
      best = j;
      best_position = position;
      best_free = is_free;
    }
  }
  return best;
}

// Gives row `start` a partner by the shortest augmenting path.
template <class T>
int32_t augment(const Problem<T>& p, const State& s, int64_t start) {
  bool valid = true;
  double so_far = step<true>(p, s, start, 0.0, &valid);
  if (!valid) return UPS_ASSIGNMENT_INVALID;
  int64_t count = 0, left = p.columns;
  int32_t column = -1;
  while (so_far < INFINITY) {
    column = nearest(s, p.columns, so_far);
    const int32_t row = s.row_of_column[column];
    if (row < 0) break;
    s.reached[count] = column;
    s.reached_distance[count] = so_far;
    const int32_t at = s.reached_at[count] = s.position[column], last = s.remaining[--left];
    ++count;
    s.remaining[at] = last;
    s.position[last] = at;
    s.distance[column] = NAN;
    column = -1;
    so_far = step<false>(p, s, row, so_far, &valid);
  }
  if (column < 0) return UPS_ASSIGNMENT_INFEASIBLE;
  s.u[start] += so_far;
  for (int64_t k = count; k-- > 0; ++left) {
    const int32_t j = s.reached[k], at = s.reached_at[k], moved = s.remaining[at];
    s.position[moved] = static_cast<int32_t>(left);
    s.remaining[at] = j;
    s.position[j] = at;
    const double gain = so_far - s.reached_distance[k];
    s.u[s.row_of_column[j]] += gain;
    s.v[j] -= gain;
  }
  for (int64_t row = -1; row != start;) {
    row = s.path[column];
    s.row_of_column[column] = static_cast<int32_t>(row);
    const int32_t before = s.column_of_row[row];
    s.column_of_row[row] = column;
    column = before;
  }
  return UPS_ASSIGNMENT_OPTIMAL;
}

template <class T>
int32_t solve(const Problem<T>& p, const State& s) {
  const int64_t columns = p.columns;
  std::fill_n(s.u, p.rows, 0.0);
  std::fill_n(s.v, columns, 0.0);
  // Lanes behind the last column: no distance is less than NaN.
  write(s.v + columns, all(NAN));
  write(s.distance + columns, all(NAN));
  std::fill_n(s.column_of_row, p.rows, -1);
  std::fill_n(s.row_of_column, columns, -1);
  for (int64_t j = 0; j < columns; ++j) s.remaining[j] = s.position[j] = static_cast<int32_t>(columns - 1 - j);
  for (int64_t start = 0; start < p.rows; ++start) {
    const int32_t status = augment(p, s, start);
    if (status == UPS_ASSIGNMENT_OPTIMAL) continue;
    for (int64_t row = start + 1; row < p.rows; ++row)
      if (!p.is_valid(row)) return UPS_ASSIGNMENT_INVALID;
    return status;
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
  T* turned = nullptr;  // as long as all costs; only problems with more rows than columns touch it
  State* states;

  Plan(const Assignments<T>& call, int32_t workers, Pieces& pieces) : f(call) {
    first_costs = pieces.take<int64_t>(f.problems + 1);
    first_pairs = pieces.take<int64_t>(f.problems + 1);
    if (f.problems > 1 || f.rows_of_all > f.columns_of_all) turned = pieces.take<T>(f.costs);
    states = pieces.take<State>(workers);
    const int64_t longest = std::max(f.rows_of_all, f.columns_of_all);
    for (int32_t worker = 0; worker < workers; ++worker) {
      const State state(longest, pieces);
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

template <class T>
size_t workspace(const Call& call) {
  const Assignments<T> f(call);
  Pieces pieces(nullptr);
  (void)Plan<T>(f, call.threads->count(), pieces);
  return pieces.bytes();
}

// Tasks are windows of the costs: a task has the problems that begin in it.
template <class T>
ups_status run(const Call& call) {
  const Assignments<T> f(call);
  Pieces pieces(call.workspace);
  const Plan<T> plan(f, call.threads->count(), pieces);
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

UPS_CPU_VARIANT(run, "linear_sum_assignment", run<float>, workspace<float>, linear_sum_assignment_supports)
UPS_CPU_VARIANT_F64(run, "linear_sum_assignment", run<double>, workspace<double>, linear_sum_assignment_supports)

UPS_SIMD_END
