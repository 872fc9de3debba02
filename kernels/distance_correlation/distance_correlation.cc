// Reference: the definition, pair by pair, O(n²) in time and O(n) in memory. Sums are float64 for either element type.
#include "distance_correlation/distance_correlation.h"

#include "distance_correlation/distance_correlation_call.h"

namespace upsilon {
namespace {

// One variable of one set: distances, their weighted sums per element, and the mean of those.
template <class T>
struct Distances {
  const T* z;
  double* sums;  // alpha or beta
  double mean = 0;

  double operator()(int64_t i, int64_t j) const {
    return std::fabs(static_cast<double>(z[i]) - static_cast<double>(z[j]));
  }
  double sign(int64_t i, int64_t j) const {
    return static_cast<double>(z[i] > z[j]) - static_cast<double>(z[i] < z[j]);
  }
};

template <class T>
class Pairs {
 public:
  Pairs(const DistanceCorrelation<T>& f, int64_t set, double* scratch)
      : f_(f), first_(f.offsets[set]), count_(f.offsets[set + 1] - first_), p_(scratch), scratch_(scratch) {
    double sum = static_cast<double>(count_);
    if (f.weights) {
      sum = 0;
      for (int64_t i = 0; i < count_; ++i) sum += static_cast<double>(f.weights[first_ + i]);
    }
    weight_total_ = sum;
    c_ = DistanceCoefficients(f.options, count_, sum);
    for (int64_t i = 0; i < count_; ++i)
      p_[i] = (f.weights ? static_cast<double>(f.weights[first_ + i]) : 1.0) * c_.scale;
  }

  // Value of one variable; adds its gradients, times dvalue, to dx, dy, dweights (float64, may be null).
  double variable(int64_t k, double dvalue, double* dx, double* dy, double* dweights) {
    const T *x = f_.x + k * f_.elements + first_, *y = f_.y + first_;
    if (!c_.defined || constant(x) || constant(y)) return 0;
    Distances<T> a{x, scratch_ + count_}, b{y, scratch_ + 2 * count_};
    add_up(a);
    add_up(b);
    const double vx = product(a, a), vy = product(b, b);
    const DistanceValue result(f_.options, product(a, b), vx, vy);
    // d value / d a_ij, over p_i p_j: the other variable's centred distance, and the own one's through the variance.
    if (dx) differentiate(a, b, dvalue * result.of_c, dvalue * result.of_vx, dx);
    if (dy) differentiate(b, a, dvalue * result.of_c, dvalue * result.of_vy, dy);
    if (dweights) {
      double* const of_p = scratch_ + 3 * count_;
      clear(of_p, count_);
      by_weights(a, b, dvalue * result.of_c, of_p);
      by_weights(a, a, dvalue * result.of_vx, of_p);
      by_weights(b, b, dvalue * result.of_vy, of_p);
      // p = w / sum w: a common factor of all weights changes nothing.
      double common = 0;
      if (f_.options.weight_sum == UPS_WEIGHTS_NORMALIZED)
        for (int64_t i = 0; i < count_; ++i) common += p_[i] * of_p[i];
      for (int64_t i = 0; i < count_; ++i) dweights[i] += (of_p[i] - common) * c_.scale;
    }
    return result.value;
  }

 private:
  const DistanceCorrelation<T>& f_;
  int64_t first_, count_;
  double *p_, *scratch_;  // count_ numbers each of p, alpha, beta, and the gradient by p
  double weight_total_ = 0;
  DistanceCoefficients c_{{}, 0, 0};

  bool constant(const T* z) const {
    int64_t seen = -1;
    for (int64_t i = 0; i < count_; ++i) {
      if (p_[i] == 0) continue;
      if (seen >= 0 && z[i] != z[seen]) return false;
      seen = i;
    }
    return true;
  }

  void add_up(Distances<T>& d) const {
    for (int64_t i = 0; i < count_; ++i) {
      d.sums[i] = 0;
      for (int64_t j = 0; j < count_; ++j) d.sums[i] += p_[j] * d(i, j);
      d.mean += p_[i] * d.sums[i];
    }
  }
  double centred(const Distances<T>& d, int64_t i, int64_t j) const {
    return c_.c1 * d(i, j) - c_.c2 * (d.sums[i] + d.sums[j]) + c_.c3 * d.mean;
  }
  // C of the header: sum p p a (b centred) says the same as the three sums.
  double product(const Distances<T>& a, const Distances<T>& b) const {
    double sum = 0;
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < count_; ++j) sum += p_[i] * p_[j] * a(i, j) * centred(b, i, j);
    return sum;
  }
  void differentiate(const Distances<T>& own, const Distances<T>& other, double of_c, double of_v,
                     double* gradient) const {
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < count_; ++j)
        gradient[i] +=
            2 * p_[i] * p_[j] * own.sign(i, j) * (of_c * centred(other, i, j) + 2 * of_v * centred(own, i, j));
  }
  // d/dp_k of c1 sum p p a b - 2 c2 sum p alpha beta + c3 A B; with the weights as given, c2 = 2 - sum p moves as well.
  void by_weights(const Distances<T>& a, const Distances<T>& b, double factor, double* gradient) const {
    double moved = 0;
    if (f_.options.weight_sum == UPS_WEIGHTS_GIVEN) {
      for (int64_t i = 0; i < count_; ++i) moved += 2 * p_[i] * a.sums[i] * b.sums[i];
      moved -= 2 * c_.c2 * a.mean * b.mean;
    }
    for (int64_t k = 0; k < count_; ++k) {
      double pairs = 0, through_sums = a.sums[k] * b.sums[k];
      for (int64_t j = 0; j < count_; ++j) {
        pairs += p_[j] * a(k, j) * b(k, j);
        through_sums += p_[j] * (a(k, j) * b.sums[j] + a.sums[j] * b(k, j));
      }
      gradient[k] += factor * (2 * c_.c1 * pairs - 2 * c_.c2 * through_sums +
                               2 * c_.c3 * (a.sums[k] * b.mean + a.mean * b.sums[k]) + moved);
    }
  }
};

constexpr int64_t numbers_per_element = 4 + 3;  // Pairs' scratch, and the gradients before they are rounded

size_t workspace(const Call& call) { return static_cast<size_t>(numbers_per_element * call.dims[1]) * sizeof(double); }

template <class T>
ups_status forward_reference(const Call& call) {
  const DistanceCorrelation<T> f(call, false);
  for (int64_t set = 0; set < f.sets; ++set) {
    Pairs<T> pairs(f, set, static_cast<double*>(call.workspace));
    for (int64_t k = 0; k < f.variables; ++k)
      f.value[k * f.sets + set] = pairs.variable(k, 0, nullptr, nullptr, nullptr);
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const DistanceCorrelation<T> f(call, true);
  double* const scratch = static_cast<double*>(call.workspace);
  clear(f.dx, f.variables * f.elements);
  clear(f.dy, f.elements);
  clear(f.dweights, f.elements);
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t first = f.offsets[set], count = f.offsets[set + 1] - first;
    double *dx = scratch + 4 * count, *dy = dx + count, *dweights = dy + count;
    Pairs<T> pairs(f, set, scratch);
    clear(dy, 2 * count);
    for (int64_t k = 0; k < f.variables; ++k) {
      clear(dx, count);
      const double value = pairs.variable(k, f.dvalue[k * f.sets + set], f.dx ? dx : nullptr, f.dy ? dy : nullptr,
                                          f.dweights ? dweights : nullptr);
      if (f.value) f.value[k * f.sets + set] = value;
      for (int64_t i = 0; f.dx && i < count; ++i) f.dx[k * f.elements + first + i] = static_cast<T>(dx[i]);
    }
    for (int64_t i = 0; f.dy && i < count; ++i) f.dy[first + i] = static_cast<T>(dy[i]);
    for (int64_t i = 0; f.dweights && i < count; ++i) f.dweights[first + i] = static_cast<T>(dweights[i]);
  }
  return UPS_OK;
}

const OperationEntry forward{"distance_correlation_forward",
                             UPS_DISTANCE_CORRELATION_FORWARD_SCHEMA,
                             sizeof(ups_distance_correlation_options),
                             {forward_reference<float>, workspace, distance_correlation_supports},
                             {forward_reference<double>, workspace, distance_correlation_supports}};
const OperationEntry backward{"distance_correlation_backward",
                              UPS_DISTANCE_CORRELATION_BACKWARD_SCHEMA,
                              sizeof(ups_distance_correlation_options),
                              {backward_reference<float>, workspace, distance_correlation_backward_supports},
                              {backward_reference<double>, workspace, distance_correlation_backward_supports}};

}  // namespace
}  // namespace upsilon

ups_status ups_distance_correlation_forward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                            const ups_tensor* weights, const ups_tensor* offsets,
                                            const ups_tensor* value, const ups_distance_correlation_options* options) {
  return upsilon::call(context, upsilon::forward, {x, y, weights, offsets, value}, options);
}

ups_status ups_distance_correlation_backward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                             const ups_tensor* weights, const ups_tensor* offsets,
                                             const ups_tensor* dvalue, const ups_tensor* value, const ups_tensor* dx,
                                             const ups_tensor* dy, const ups_tensor* dweights,
                                             const ups_distance_correlation_options* options) {
  return upsilon::call(context, upsilon::backward, {x, y, weights, offsets, dvalue, value, dx, dy, dweights}, options);
}
