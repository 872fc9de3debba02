// The definition of distance correlation, pair by pair: O(n²) in time and O(n) in memory. Sums are
// float64 for either element type. The reference of the operations on one and on several
// dimensions.
#pragma once
#include "distance_correlation/distance_correlation_call.h"

namespace upsilon {

// One variable of one set: n points of `dims` coordinates, their distances' weighted sums, and the
// mean of those.
template <class T>
struct Points {
  const T* z;
  int64_t dims;
  double* sums = nullptr;  // alpha or beta
  double mean = 0;

  double difference(int64_t i, int64_t j, int64_t c) const {
    return static_cast<double>(z[i * dims + c]) - static_cast<double>(z[j * dims + c]);
  }
  double distance(int64_t i, int64_t j) const {
    if (dims == 1) return std::fabs(difference(i, j, 0));
    double squares = 0;
    for (int64_t c = 0; c < dims; ++c) squares += difference(i, j, c) * difference(i, j, c);
    return std::sqrt(squares);
  }
  bool coincide(int64_t i, int64_t j) const { return std::equal(z + i * dims, z + (i + 1) * dims, z + j * dims); }
};

template <class T>
class Pairs {
 public:
  static constexpr int64_t numbers_per_element = 4;  // of scratch: p, alpha, beta, and the gradient by p

  Pairs(const ups_distance_correlation_options& options, const T* weights, int64_t count, double* scratch)
      : options_(options), count_(count), p_(scratch), scratch_(scratch), c_(options, count, sum_of(weights, count)) {
    for (int64_t i = 0; i < count_; ++i) p_[i] = (weights ? static_cast<double>(weights[i]) : 1.0) * c_.scale;
  }

  // The value; adds its gradients, times dvalue, to dx, dy, dweights (float64, may be null).
  double compare(Points<T> a, Points<T> b, double dvalue, double* dx, double* dy, double* dweights) {
    if (!c_.defined || constant(a) || constant(b)) return 0;
    a.sums = scratch_ + count_;
    b.sums = scratch_ + 2 * count_;
    add_up(a);
    add_up(b);
    const double vx = product(a, a), vy = product(b, b);
    const DistanceValue result(options_, product(a, b), vx, vy);
    // d value / d a_ij, over p_i p_j: the other variable's centred distance, and the own one's
    // through the variance.
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
      if (options_.weight_sum == UPS_WEIGHTS_NORMALIZED)
        for (int64_t i = 0; i < count_; ++i) common += p_[i] * of_p[i];
      for (int64_t i = 0; i < count_; ++i) dweights[i] += (of_p[i] - common) * c_.scale;
    }
    return result.value;
  }

 private:
  const ups_distance_correlation_options& options_;
  int64_t count_;
  double *p_, *scratch_;
  DistanceCoefficients c_;

  static double sum_of(const T* weights, int64_t count) {
    if (!weights) return static_cast<double>(count);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(weights[i]);
    return sum;
  }

  bool constant(const Points<T>& d) const {
    int64_t seen = -1;
    for (int64_t i = 0; i < count_; ++i) {
      if (p_[i] == 0) continue;
      if (seen >= 0 && !d.coincide(i, seen)) return false;
      seen = i;
    }
    return true;
  }

  void add_up(Points<T>& d) const {
    for (int64_t i = 0; i < count_; ++i) {
      d.sums[i] = 0;
      for (int64_t j = 0; j < count_; ++j) d.sums[i] += p_[j] * d.distance(i, j);
      d.mean += p_[i] * d.sums[i];
    }
  }
  double centred(const Points<T>& d, int64_t i, int64_t j) const {
    return c_.c1 * d.distance(i, j) - c_.c2 * (d.sums[i] + d.sums[j]) + c_.c3 * d.mean;
  }
  // C of the header: sum p p a (b centred) says the same as the three sums.
  double product(const Points<T>& a, const Points<T>& b) const {
    double sum = 0;
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < count_; ++j) sum += p_[i] * p_[j] * a.distance(i, j) * centred(b, i, j);
    return sum;
  }
  void differentiate(const Points<T>& own, const Points<T>& other, double of_c, double of_v, double* gradient) const {
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < count_; ++j) {
        if (own.coincide(i, j)) continue;
        const double slope = 2 * p_[i] * p_[j] * (of_c * centred(other, i, j) + 2 * of_v * centred(own, i, j));
        const double distance = own.distance(i, j);
        for (int64_t c = 0; c < own.dims; ++c)
          gradient[i * own.dims + c] += slope * (own.difference(i, j, c) / distance);
      }
  }
  // d/dp_k of c1 sum p p a b - 2 c2 sum p alpha beta + c3 A B; with the weights as given, c2 = 2 -
  // sum p moves as well.
  void by_weights(const Points<T>& a, const Points<T>& b, double factor, double* gradient) const {
    double moved = 0;
    if (options_.weight_sum == UPS_WEIGHTS_GIVEN) {
      for (int64_t i = 0; i < count_; ++i) moved += 2 * p_[i] * a.sums[i] * b.sums[i];
      moved -= 2 * c_.c2 * a.mean * b.mean;
    }
    for (int64_t k = 0; k < count_; ++k) {
      double pairs = 0, through_sums = a.sums[k] * b.sums[k];
      for (int64_t j = 0; j < count_; ++j) {
        const double of_a = a.distance(k, j), of_b = b.distance(k, j);
        pairs += p_[j] * of_a * of_b;
        through_sums += p_[j] * (of_a * b.sums[j] + a.sums[j] * of_b);
      }
      gradient[k] += factor * (2 * c_.c1 * pairs - 2 * c_.c2 * through_sums +
                               2 * c_.c3 * (a.sums[k] * b.mean + a.mean * b.sums[k]) + moved);
    }
  }
};

}  // namespace upsilon
