// CUDA. Floor: all N² pairs twice, in float64: for each (Dx + Dy) differences and squares, two
// square roots, and about ten operations for the sums. A block takes `rows` points and four
// segments of the others; everybody in a warp looks at the same other point, so its coordinates are
// one load. What is about one point or about all of them is one block's work. Everything is added
// up in an order that depends on the number of points alone.
#include "lib/cuda/cuda.h"
#include "distance_correlation/distance_correlation.h"
#include "distance_correlation/multivariate_call.h"

namespace upsilon {
namespace {

constexpr int rows = 32, segments = 4, pair_threads = rows * segments;
constexpr int tile = 32;  // other points whose slopes are kept in shared memory
constexpr int one_block = 256;

using Call32 = MultivariateDistanceCorrelation<float>;

struct State {
  double weight;
  int64_t first;  // the first point with a weight
  bool usable;  // false: the value is 0 and has no gradient
  VariableSums x, y;
  DistanceCoefficients c;
  MultivariateValue found;
};

struct Memory {
  State* state;
  double *p, *alpha, *beta, *products, *x_terms, *y_terms, *through;
  double *x_centre, *y_centre;  // centre and sum p (z - centre), by coordinate
  double *x_pulls, *y_pulls;

  Memory(const Call32& f, WorkspaceLayout& workspace)
      : state(workspace.reserve<State>(1)), p(workspace.reserve<double>(f.points)),
        alpha(workspace.reserve<double>(f.points)), beta(workspace.reserve<double>(f.points)),
        products(workspace.reserve<double>(f.points)), x_terms(workspace.reserve<double>(f.points)),
        y_terms(workspace.reserve<double>(f.points)), through(workspace.reserve<double>(f.points)),
        x_centre(workspace.reserve<double>(2 * f.x_dims)), y_centre(workspace.reserve<double>(2 * f.y_dims)),
        x_pulls(workspace.reserve<double>(f.dx ? f.points * f.x_dims : 0)),
        y_pulls(workspace.reserve<double>(f.dy ? f.points * f.y_dims : 0)) {}
};

// The sum of value(i) over i < count, the same in every thread of the block; all call it together.
template <int threads, class Value>
UPS_ON_DEVICE double block_sum(int64_t count, double* shared, Value value) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += threads) sum += value(i);
  shared[threadIdx.x] = sum;
  __syncthreads();
  double total = 0;
  for (int t = 0; t < threads; ++t) total += shared[t];
  __syncthreads();
  return total;
}

template <int threads>
UPS_ON_DEVICE VariableSums look_at(const float* z, int64_t points, int64_t dims, const double* p, double* centre,
                                   double* shared) {
  VariableSums sums{1, 0, 0, 0, 0};
  for (int64_t c = 0; c < dims; ++c) {
    const auto at = [&](int64_t i) { return static_cast<double>(z[i * dims + c]); };
    const double middle = block_sum<threads>(points, shared, at) / static_cast<double>(points);
    const double first = block_sum<threads>(points, shared, [&](int64_t i) { return p[i] * (at(i) - middle); });
    sums.second +=
        block_sum<threads>(points, shared, [&](int64_t i) { return p[i] * (at(i) - middle) * (at(i) - middle); });
    sums.first_squared += first * first;
    if (threadIdx.x == 0) {
      centre[c] = middle;
      centre[dims + c] = first;
    }
  }
  return sums;
}

UPS_ON_DEVICE bool coincide(const float* z, int64_t dims, int64_t i, int64_t j) {
  bool same = true;
  for (int64_t c = 0; c < dims; ++c) same = same && z[i * dims + c] == z[j * dims + c];
  return same;
}

// Weights, and what is linear in the points.
template <int threads>
UPS_KERNEL_LB(threads)
prepare(const int32_t* fault, Call32 f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [threads]);
  const auto weight_at = [&](int64_t i) { return f.weights ? static_cast<double>(f.weights[i]) : 1.0; };
  const double sum = block_sum<threads>(f.points, shared, weight_at);
  const DistanceCoefficients c(f.options, f.points, sum);
  for (int64_t i = threadIdx.x; i < f.points; i += threads) m.p[i] = weight_at(i) * c.scale;
  const double weight = block_sum<threads>(f.points, shared, [&](int64_t i) { return weight_at(i) * c.scale; });
  if (threadIdx.x == 0) {
    int64_t first = 0;
    while (first < f.points && m.p[first] == 0) ++first;
    m.state->first = first;
  }
  __syncthreads();
  const int64_t first = m.state->first;
  const auto differing = [&](const float* z, int64_t dims) {
    return block_sum<threads>(f.points, shared,
                              [&](int64_t i) { return m.p[i] != 0 && !coincide(z, dims, i, first) ? 1.0 : 0.0; });
  };
  const bool varies = differing(f.x, f.x_dims) > 0 && differing(f.y, f.y_dims) > 0;
  const VariableSums x = look_at<threads>(f.x, f.points, f.x_dims, m.p, m.x_centre, shared);
  const VariableSums y = look_at<threads>(f.y, f.points, f.y_dims, m.p, m.y_centre, shared);
  if (threadIdx.x != 0) return;
  m.state->weight = weight;
  m.state->usable = c.defined && varies;
  m.state->c = c;
  m.state->x = x;
  m.state->y = y;
}

UPS_ON_DEVICE double distance(const float* z, int64_t dims, int64_t i, int64_t j) {
  double squares = 0;
  for (int64_t c = 0; c < dims; ++c) {
    const double difference = static_cast<double>(z[i * dims + c]) - static_cast<double>(z[j * dims + c]);
    squares += difference * difference;
  }
  return sqrt(squares);
}

template <int threads>
UPS_KERNEL_LB(threads)
sum_rows(const int32_t* fault, Call32 f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [3][segments][rows]);
  if (!m.state->usable) return;
  const int row = static_cast<int>(threadIdx.x) % rows, segment = static_cast<int>(threadIdx.x) / rows;
  const int64_t k = blockIdx.x * static_cast<int64_t>(rows) + row;
  double alpha = 0, beta = 0, products = 0;
  if (k < f.points)
    for (int64_t j = segment; j < f.points; j += segments) {
      const double a = m.p[j] * distance(f.x, f.x_dims, k, j), b = distance(f.y, f.y_dims, k, j);
      alpha += a;
      beta += m.p[j] * b;
      products += a * b;
    }
  shared[0][segment][row] = alpha;
  shared[1][segment][row] = beta;
  shared[2][segment][row] = products;
  __syncthreads();
  if (segment != 0 || k >= f.points) return;
  for (int s = 1; s < segments; ++s) {
    alpha += shared[0][s][row];
    beta += shared[1][s][row];
    products += shared[2][s][row];
  }
  m.alpha[k] = alpha;
  m.beta[k] = beta;
  m.products[k] = products;
}

template <int threads>
UPS_KERNEL_LB(threads)
find_value(const int32_t* fault, Call32 f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [threads]);
  if (!m.state->usable) return;
  const auto sum = [&](auto value) { return block_sum<threads>(f.points, shared, value); };
  VariableSums x = m.state->x, y = m.state->y;
  x.mean = sum([&](int64_t k) { return m.p[k] * m.alpha[k]; });
  y.mean = sum([&](int64_t k) { return m.p[k] * m.beta[k]; });
  x.squares = sum([&](int64_t k) { return m.p[k] * m.alpha[k] * m.alpha[k]; });
  y.squares = sum([&](int64_t k) { return m.p[k] * m.beta[k] * m.beta[k]; });
  const double pairs = sum([&](int64_t k) { return m.p[k] * m.products[k]; });
  const double products = sum([&](int64_t k) { return m.p[k] * m.alpha[k] * m.beta[k]; });
  const MultivariateValue found(f.options, m.state->c, x, y, pairs, products, m.state->weight);
  for (int64_t j = threadIdx.x; j < f.points; j += threads) {
    m.x_terms[j] = found.by_x.of_own_sum * m.alpha[j] + found.by_x.of_other_sum * m.beta[j];
    m.y_terms[j] = found.by_y.of_own_sum * m.beta[j] + found.by_y.of_other_sum * m.alpha[j];
  }
  if (threadIdx.x != 0) return;
  m.state->x = x;
  m.state->y = y;
  m.state->found = found;
  if (f.value) *f.value = found.value;
}

// Adds what a tile of others pulls the block's rows with: slopes[row][j] (z_j - z_k). Each number
// is one thread's.
UPS_ON_DEVICE void pull(const float* z, int64_t points, int64_t dims, int64_t begin, const double (*slopes)[tile + 1],
                        double* pulls) {
  const int64_t base = blockIdx.x * static_cast<int64_t>(rows), size = points - begin < tile ? points - begin : tile;
  for (int64_t t = threadIdx.x; t < rows * dims; t += pair_threads) {
    const int64_t row = t % rows, c = t / rows, k = base + row;
    if (k >= points) continue;
    const double own = static_cast<double>(z[k * dims + c]);
    double sum = begin == 0 ? 0 : pulls[k * dims + c];
    for (int64_t j = 0; j < size; ++j) sum += slopes[row][j] * (static_cast<double>(z[(begin + j) * dims + c]) - own);
    pulls[k * dims + c] = sum;
  }
}

UPS_ON_DEVICE void store_pulls(const double* pulls, int64_t points, int64_t dims, const double* p, double factor,
                               float* gradient) {
  const int64_t base = blockIdx.x * static_cast<int64_t>(rows);
  for (int64_t t = threadIdx.x; t < rows * dims; t += pair_threads) {
    const int64_t k = base + t % rows, at = k * dims + t / rows;
    if (k < points) gradient[at] = static_cast<float>(-2 * p[k] * pulls[at] * factor);
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
differentiate(const int32_t* fault, Call32 f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, x_slopes, [rows][tile + 1]);
  UPS_SHARED(double, y_slopes, [rows][tile + 1]);
  UPS_SHARED(double, shared, [segments][rows]);
  if (!m.state->usable) return;
  const int row = static_cast<int>(threadIdx.x) % rows, segment = static_cast<int>(threadIdx.x) / rows;
  const int64_t k = blockIdx.x * static_cast<int64_t>(rows) + row;
  const MultivariateValue& found = m.state->found;
  const PairGradient by_x = found.by_x, by_y = found.by_y;
  double through = 0;
  for (int64_t begin = 0; begin < f.points; begin += tile) {
    for (int at = segment; at < tile; at += segments) {
      const int64_t j = begin + at;
      double x_slope = 0, y_slope = 0;
      if (j < f.points && k < f.points) {
        const double a = distance(f.x, f.x_dims, k, j), b = distance(f.y, f.y_dims, k, j), p = m.p[j];
        const double of_x = by_x.of_other * b + by_x.of_own * a + (m.x_terms[j] + (m.x_terms[k] + by_x.constant));
        const double of_y = by_y.of_other * a + by_y.of_own * b + (m.y_terms[j] + (m.y_terms[k] + by_y.constant));
        x_slope = a > 0 ? p * of_x / a : 0.0;
        y_slope = b > 0 ? p * of_y / b : 0.0;
        through += p * (a * m.x_terms[j] + b * m.y_terms[j]);
      }
      x_slopes[row][at] = x_slope;
      y_slopes[row][at] = y_slope;
    }
    __syncthreads();
    if (f.dx) pull(f.x, f.points, f.x_dims, begin, x_slopes, m.x_pulls);
    if (f.dy) pull(f.y, f.points, f.y_dims, begin, y_slopes, m.y_pulls);
    __syncthreads();
  }
  const double factor = *f.dvalue * found.unit;
  if (f.dx) store_pulls(m.x_pulls, f.points, f.x_dims, m.p, factor, f.dx);
  if (f.dy) store_pulls(m.y_pulls, f.points, f.y_dims, m.p, factor, f.dy);
  shared[segment][row] = through;
  __syncthreads();
  if (segment != 0 || k >= f.points) return;
  for (int s = 1; s < segments; ++s) through += shared[s][row];
  m.through[k] = through;
}

UPS_ON_DEVICE double squares_around(const float* z, int64_t dims, const double* centre, int64_t k, double weight,
                                    double second) {
  double own = 0, along = 0;
  for (int64_t c = 0; c < dims; ++c) {
    const double from_centre = static_cast<double>(z[k * dims + c]) - centre[c];
    own += from_centre * from_centre;
    along += from_centre * centre[dims + c];
  }
  return weight * own - 2 * along + second;
}

template <int threads>
UPS_KERNEL_LB(threads)
differentiate_by_weights(const int32_t* fault, Call32 f, Memory m) {
  if (*fault != 0) return;
  UPS_SHARED(double, shared, [threads]);
  if (!m.state->usable) return;
  const State& s = *m.state;
  double common = block_sum<threads>(f.points, shared, [&](int64_t k) {
    const double of_p =
        s.found.by_weight(s.c, m.products[k], squares_around(f.x, f.x_dims, m.x_centre, k, s.weight, s.x.second),
                          squares_around(f.y, f.y_dims, m.y_centre, k, s.weight, s.y.second), m.through[k], m.alpha[k],
                          m.beta[k], s.x.mean, s.y.mean);
    m.through[k] = of_p;
    return m.p[k] * of_p;
  });
  // p = w / sum w: a common factor of all weights changes nothing.
  if (f.options.weight_sum == UPS_WEIGHTS_GIVEN) common = 0;
  const double factor = *f.dvalue * s.found.unit * s.c.scale;
  for (int64_t k = threadIdx.x; k < f.points; k += threads)
    f.dweights[k] = static_cast<float>(factor * (m.through[k] - common));
}

template <class F>
ups_status run(const Call& call) {
  const F of_call(call);
  const Call32& f = of_call;
  const auto m = scratch_of<Memory>(call, f);
  Launcher launch(call);
  if (f.value) launch.clear(f.value, sizeof *f.value);
  if (f.dx) launch.clear(f.dx, static_cast<size_t>(f.points * f.x_dims) * sizeof(float));
  if (f.dy) launch.clear(f.dy, static_cast<size_t>(f.points * f.y_dims) * sizeof(float));
  if (f.dweights) launch.clear(f.dweights, static_cast<size_t>(f.points) * sizeof(float));
  if (f.points == 0) return launch.status();
  launch.grid(prepare<one_block>, 1, 1, one_block, 0, f, m);
  launch.grid(sum_rows<pair_threads>, ceil_div(f.points, rows), 1, pair_threads, 0, f, m);
  launch.grid(find_value<one_block>, 1, 1, one_block, 0, f, m);
  if (f.dx || f.dy || f.dweights)
    launch.grid(differentiate<pair_threads>, ceil_div(f.points, rows), 1, pair_threads, 0, f, m);
  if (f.dweights) launch.grid(differentiate_by_weights<one_block>, 1, 1, one_block, 0, f, m);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, MultivariateDistanceCorrelationForwardCall, run<MultivariateForward<float>>,
                 workspace_of<MultivariateForward<float>, Memory>)
UPS_CUDA_VARIANT(backward, MultivariateDistanceCorrelationBackwardCall, run<MultivariateBackward<float>>,
                 workspace_of<MultivariateBackward<float>, Memory>)

}  // namespace
}  // namespace upsilon
