// SIMD. Floor: all N² pairs twice, from cached coordinates: for each (Dx + Dy) differences and
// squares, two square roots and eight float64 operations for the sums; then the distances again,
// one reciprocal a side, and five operations a coordinate. All in float64: value and gradient are
// what is left of terms that cancel. Rows are in blocks of `rows_at_once`, which share what is
// loaded of the other points; coordinates lie one after the other, so that lanes are points.
#include <utility>

#include "distance_correlation/distance_correlation.h"
#include "distance_correlation/multivariate_call.h"

#define UPS_SIMD_SOURCE "distance_correlation/multivariate.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int double_lanes = UPS_LANES / 2;
constexpr int rows_at_once = UPS_LANES == 16 ? 4 : 2;
constexpr int64_t task_rows = 32;

typedef double Doubles __attribute__((vector_size(UPS_LANES * 4)));

[[gnu::always_inline]] inline Doubles load_doubles(const double* from) {
  Doubles v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
[[gnu::always_inline]] inline Doubles root(Doubles v) {
#if defined(UPS_HAS_AVX512)
  return reinterpret_cast<Doubles>(_mm512_maskz_sqrt_pd(0xff, reinterpret_cast<__m512d>(v)));
#elif defined(UPS_HAS_AVX2)
  for (int i = 0; i < double_lanes; i += 4) {
    __m256d part;
    std::memcpy(&part, reinterpret_cast<const char*>(&v) + 8 * i, sizeof part);
    part = _mm256_sqrt_pd(part);
    std::memcpy(reinterpret_cast<char*>(&v) + 8 * i, &part, sizeof part);
  }
  return v;
#else
  for (int i = 0; i < double_lanes; ++i) v[i] = std::sqrt(v[i]);
  return v;
#endif
}

[[gnu::always_inline]] inline double sum_of(Doubles v) {
  double total = 0;
  for (int i = 0; i < double_lanes; ++i) total += v[i];
  return total;
}

// Points beyond the last are zeros without weight, so that loops need no remainder.
inline int64_t padded(int64_t points) { return round_up(points, 16); }

// One variable, scaled.
struct Variable {
  int64_t dims, stride;
  double* at;  // coordinate c of point i: at[c * stride + i]
  double *sums, *terms;  // alpha or beta; t of PairGradient
  double* centre;
  VariableSums totals{};
  bool constant = true;

  Variable(int64_t points, int64_t dims_, WorkspaceLayout& workspace)
      : dims(dims_), stride(padded(points)), at(workspace.reserve<double>(dims * stride)),
        sums(workspace.reserve<double>(stride)), terms(workspace.reserve<double>(stride)),
        centre(workspace.reserve<double>(2 * dims)) {}

  template <class T>
  void read(const T* z, int64_t points, const double* p) {
    double largest = 0;
    for (int64_t i = 0; i < points * dims; ++i) largest = std::fmax(largest, std::fabs(static_cast<double>(z[i])));
    totals.scale = coordinate_scale(largest);
    int64_t seen = -1;
    for (int64_t i = 0; i < points; ++i) {
      for (int64_t c = 0; c < dims; ++c) at[c * stride + i] = static_cast<double>(z[i * dims + c]) * totals.scale;
      if (p[i] == 0) continue;
      if (seen >= 0 && constant) constant = std::equal(z + i * dims, z + (i + 1) * dims, z + seen * dims);
      seen = i;
    }
    double* const first = centre + dims;
    for (int64_t c = 0; c < dims; ++c) {
      std::fill(at + c * stride + points, at + (c + 1) * stride, 0.0);
      double sum = 0;
      for (int64_t i = 0; i < points; ++i) sum += at[c * stride + i];
      centre[c] = sum / static_cast<double>(points);
      first[c] = 0;
      for (int64_t i = 0; i < points; ++i) {
        const double from_centre = at[c * stride + i] - centre[c];
        first[c] += p[i] * from_centre;
        totals.second += p[i] * from_centre * from_centre;
      }
      totals.first_squared += first[c] * first[c];
    }
  }
  // sum_j p_j |z_k - z_j|²
  double squares_around(int64_t k, double weight) const {
    double own = 0, along = 0;
    for (int64_t c = 0; c < dims; ++c) {
      const double from_centre = at[c * stride + k] - centre[c];
      own += from_centre * from_centre;
      along += from_centre * centre[dims + c];
    }
    return weight * own - 2 * along + totals.second;
  }
};

// Distances of the rows first .. first + rows_at_once from the points j and on.
[[gnu::always_inline]] inline void distances(const Variable& z, int64_t first, int64_t j, Doubles* found) {
  Doubles squares[rows_at_once] = {};
  for (int64_t c = 0; c < z.dims; ++c) {
    const double* const row = z.at + c * z.stride;
    const Doubles there = load_doubles(row + j);
    for (int r = 0; r < rows_at_once; ++r) {
      const Doubles difference = there - row[first + r];
      squares[r] += difference * difference;
    }
  }
  for (int r = 0; r < rows_at_once; ++r) found[r] = root(squares[r]);
}

// alpha, beta, and sum_j p_j a_kj b_kj of rows_at_once rows.
void sum_rows(const Variable& x, const Variable& y, const double* p, int64_t first, double* products) {
  Doubles alpha[rows_at_once] = {}, beta[rows_at_once] = {}, both[rows_at_once] = {};
  for (int64_t j = 0; j < x.stride; j += double_lanes) {
    Doubles a[rows_at_once], b[rows_at_once];
    distances(x, first, j, a);
    distances(y, first, j, b);
    const Doubles weight = load_doubles(p + j);
    for (int r = 0; r < rows_at_once; ++r) {
      const Doubles of_a = weight * a[r], of_b = b[r];
      alpha[r] += of_a;
      beta[r] += weight * of_b;
      both[r] += of_a * of_b;
    }
  }
  for (int r = 0; r < rows_at_once; ++r) {
    x.sums[first + r] = sum_of(alpha[r]);
    y.sums[first + r] = sum_of(beta[r]);
    products[first + r] = sum_of(both[r]);
  }
}

// Adds p_j G_kj (z_j - z_k) / |z_j - z_k| to the rows' sums: sums[r * dims + c].
[[gnu::always_inline]] inline void pull(const Variable& z, const PairGradient& by, int64_t first, int64_t j,
                                        const Doubles* own, const Doubles* other, Doubles weight, double* sums) {
  Doubles slope[rows_at_once];
  const Doubles terms = load_doubles(z.terms + j);
  for (int r = 0; r < rows_at_once; ++r) {
    const Doubles inverse = own[r] > 0.0 ? 1.0 / own[r] : Doubles{};
    const Doubles g = by.of_other * other[r] + by.of_own * own[r] + (terms + (z.terms[first + r] + by.constant));
    slope[r] = weight * g * inverse;
  }
  for (int64_t c = 0; c < z.dims; ++c) {
    const double* const row = z.at + c * z.stride;
    const Doubles there = load_doubles(row + j);
    for (int r = 0; r < rows_at_once; ++r) {
      double* const place = sums + (r * z.dims + c) * double_lanes;
      Doubles sum = load_doubles(place);
      sum += slope[r] * (there - row[first + r]);
      std::memcpy(place, &sum, sizeof sum);
    }
  }
}

template <class T>
struct Plan {
  const MultivariateDistanceCorrelation<T>& f;
  Threads& threads;
  int64_t stride;
  double *p, *products, *through;
  Variable x, y;
  double* pulls;  // by worker: rows_at_once * (x_dims + y_dims) Doubles
  int64_t pull_numbers;

  Plan(const MultivariateDistanceCorrelation<T>& f_, Threads& threads_, WorkspaceLayout& workspace)
      : f(f_), threads(threads_), stride(padded(f.points)), p(workspace.reserve<double>(stride)),
        products(workspace.reserve<double>(stride)), through(workspace.reserve<double>(f.dweights ? stride : 0)),
        x(f.points, f.x_dims, workspace), y(f.points, f.y_dims, workspace), pulls(nullptr),
        pull_numbers(rows_at_once * double_lanes * (f.x_dims + f.y_dims)) {
    if (f.dvalue) pulls = workspace.reserve<double>(threads.count() * pull_numbers);
  }

  // body(first row) for every block of rows_at_once.
  template <class Body>
  void each_block(Body&& body) {
    threads.run(ceil_div(f.points, task_rows), [&](int64_t task, int32_t worker) {
      const int64_t end = std::min(f.points, (task + 1) * task_rows);
      for (int64_t first = task * task_rows; first < end; first += rows_at_once) body(first, worker);
    });
  }

  void differentiate(const DistanceCoefficients& c, const MultivariateValue& found, double weight) {
    for (int64_t j = 0; j < stride; ++j) {  // also of points beyond the last: finite, and without weight
      x.terms[j] = found.by_x.of_own_sum * x.sums[j] + found.by_x.of_other_sum * y.sums[j];
      y.terms[j] = found.by_y.of_own_sum * y.sums[j] + found.by_y.of_other_sum * x.sums[j];
    }
    each_block([&](int64_t first, int32_t worker) {
      double* const of_x = pulls + worker * pull_numbers;
      double* const of_y = of_x + rows_at_once * double_lanes * x.dims;
      std::fill_n(of_x, pull_numbers, 0.0);
      Doubles through_sums[rows_at_once] = {};
      for (int64_t j = 0; j < stride; j += double_lanes) {
        Doubles a[rows_at_once], b[rows_at_once];
        distances(x, first, j, a);
        distances(y, first, j, b);
        const Doubles weight_of = load_doubles(p + j);
        if (f.dx) pull(x, found.by_x, first, j, a, b, weight_of, of_x);
        if (f.dy) pull(y, found.by_y, first, j, b, a, weight_of, of_y);
        if (f.dweights)
          for (int r = 0; r < rows_at_once; ++r)
            through_sums[r] += weight_of * (a[r] * load_doubles(x.terms + j) + b[r] * load_doubles(y.terms + j));
      }
      const int64_t rows = std::min<int64_t>(rows_at_once, f.points - first);
      for (int64_t r = 0; r < rows; ++r) {
        store_pull(x, of_x + r * double_lanes * x.dims, first + r, found.unit, f.dx);
        store_pull(y, of_y + r * double_lanes * y.dims, first + r, found.unit, f.dy);
        if (f.dweights) through[first + r] = sum_of(through_sums[r]);
      }
    });
    if (!f.dweights) return;
    double common = 0;
    for (int64_t k = 0; k < f.points; ++k) {
      through[k] = found.by_weight(c, products[k], x.squares_around(k, weight), y.squares_around(k, weight), through[k],
                                   x.sums[k], y.sums[k], x.totals.mean, y.totals.mean);
      common += p[k] * through[k];
    }
    // p = w / sum w: a common factor of all weights changes nothing.
    if (f.options.weight_sum == UPS_WEIGHTS_GIVEN) common = 0;
    for (int64_t k = 0; k < f.points; ++k)
      f.dweights[k] = static_cast<T>(*f.dvalue * found.unit * c.scale * (through[k] - common));
  }
  void store_pull(const Variable& z, const double* sums, int64_t k, double unit, T* gradient) const {
    for (int64_t i = 0; gradient && i < z.dims; ++i) {
      const double sum = sum_of(load_doubles(sums + i * double_lanes));
      gradient[k * z.dims + i] = static_cast<T>(-2 * p[k] * sum * *f.dvalue * unit * z.totals.scale);
    }
  }

  void run() {
    if (f.value) *f.value = 0;
    clear(f.dx, f.points * f.x_dims);
    clear(f.dy, f.points * f.y_dims);
    clear(f.dweights, f.points);
    double sum = static_cast<double>(f.points);
    if (f.weights) {
      sum = 0;
      for (int64_t i = 0; i < f.points; ++i) sum += static_cast<double>(f.weights[i]);
    }
    const DistanceCoefficients c(f.options, f.points, sum);
    if (!c.defined) return;
    double weight = 0;
    for (int64_t i = 0; i < stride; ++i) {
      p[i] = i >= f.points ? 0 : f.weights ? static_cast<double>(f.weights[i]) * c.scale : c.scale;
      weight += p[i];
    }
    x.read(f.x, f.points, p);
    y.read(f.y, f.points, p);
    std::fill(x.sums + f.points, x.sums + stride, 0.0);
    std::fill(y.sums + f.points, y.sums + stride, 0.0);
    if (x.constant || y.constant) return;
    each_block([&](int64_t first, int32_t) { sum_rows(x, y, p, first, products); });
    double pairs = 0, both = 0;
    for (int64_t k = 0; k < f.points; ++k) {
      const double alpha = x.sums[k], beta = y.sums[k];
      pairs += p[k] * products[k];
      both += p[k] * alpha * beta;
      x.totals.mean += p[k] * alpha;
      x.totals.squares += p[k] * alpha * alpha;
      y.totals.mean += p[k] * beta;
      y.totals.squares += p[k] * beta * beta;
    }
    const MultivariateValue found(f.options, c, x.totals, y.totals, pairs, both, weight);
    if (f.value) *f.value = found.value;
    if (f.dx || f.dy || f.dweights) differentiate(c, found, weight);
  }
};

template <class T, bool backward>
ups_status run(const Call& call) {
  const std::conditional_t<backward, MultivariateBackward<T>, MultivariateForward<T>> f(call);
  scratch_of<Plan<T>>(call, f).run();
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, MultivariateDistanceCorrelationForwardCall, run<float, false>,
                workspace_of<MultivariateForward<float>, Plan<float>>)
UPS_CPU_VARIANT(backward, MultivariateDistanceCorrelationBackwardCall, run<float, true>,
                workspace_of<MultivariateBackward<float>, Plan<float>>)
UPS_CPU_VARIANT_F64(forward, MultivariateDistanceCorrelationForwardCall, run<double, false>,
                    workspace_of<MultivariateForward<double>, Plan<double>>)
UPS_CPU_VARIANT_F64(backward, MultivariateDistanceCorrelationBackwardCall, run<double, true>,
                    workspace_of<MultivariateBackward<double>, Plan<double>>)

UPS_SIMD_END
