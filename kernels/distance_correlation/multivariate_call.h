// A checked call of multivariate_distance_correlation, as plain numbers and pointers, and what its
// variants share: from sums over pairs to the value, and to the numbers that the second look at the
// pairs needs.
#pragma once
#include "core/named_call.h"
#include "distance_correlation/distance_correlation_call.h"

namespace upsilon {

inline constexpr OperationLine multivariate_distance_correlation_forward_line{
    "multivariate_distance_correlation_forward", UPS_MULTIVARIATE_DISTANCE_CORRELATION_FORWARD_SCHEMA};
using MultivariateDistanceCorrelationForwardCall =
    CallOf<multivariate_distance_correlation_forward_line, ups_distance_correlation_options>;
inline constexpr OperationLine multivariate_distance_correlation_backward_line{
    "multivariate_distance_correlation_backward", UPS_MULTIVARIATE_DISTANCE_CORRELATION_BACKWARD_SCHEMA};
using MultivariateDistanceCorrelationBackwardCall =
    CallOf<multivariate_distance_correlation_backward_line, ups_distance_correlation_options>;

template <class T>
struct MultivariateDistanceCorrelation {
  int64_t points, x_dims, y_dims;
  const T *x, *y, *weights;
  const double* dvalue = nullptr;  // of backward, like the gradients
  double* value;
  T *dx = nullptr, *dy = nullptr, *dweights = nullptr;
  ups_distance_correlation_options options;

  template <NamedCall Named>
  explicit MultivariateDistanceCorrelation(const Named& call)
      : points(call.dim("N")), x_dims(call.dim("Dx")), y_dims(call.dim("Dy")), x(call["x"]), y(call["y"]),
        weights(call["weights"]), value(call["value"]), options(call.options()) {}
};

template <class T>
struct MultivariateForward : MultivariateDistanceCorrelation<T> {
  explicit MultivariateForward(const MultivariateDistanceCorrelationForwardCall& call)
      : MultivariateDistanceCorrelation<T>(call) {}
};

template <class T>
struct MultivariateBackward : MultivariateDistanceCorrelation<T> {
  explicit MultivariateBackward(const MultivariateDistanceCorrelationBackwardCall& call)
      : MultivariateDistanceCorrelation<T>(call) {
    this->dvalue = call["dvalue"];
    this->dx = call["dx"];
    this->dy = call["dy"];
    this->dweights = call["dweights"];
  }
};

// Coordinates are multiplied by this power of two, so that their squares neither overflow nor
// vanish.
inline double coordinate_scale(double largest) {
  if (largest == 0) return 1;
  int exponent = 0;
  (void)std::frexp(largest, &exponent);
  return std::ldexp(1.0, -std::max(exponent, -1000));
}

// Sums over all points, or all pairs, of one variable in its scaled coordinates: of p |z|² about a
// centre, |sum p z|² about it; of p sums and p sums², where sums are the distances to all others.
struct VariableSums {
  double scale, second, first_squared, mean, squares;
  UPS_HD double variance(const DistanceCoefficients& c, double weight) const {
    return 2 * c.c1 * (weight * second - first_squared) - 2 * c.c2 * squares + c.c3 * mean * mean;
  }
};

// What the second look needs. With G^x_kj = of_b b_kj + of_a a_kj + (t_k + t_j + constant), the
// gradient by x_k is 2 p_k sum_j p_j G^x_kj (x_k - x_j) / a_kj, and the same for y with a and b
// exchanged.
struct PairGradient {
  double of_own, of_other, of_own_sum, of_other_sum, constant;  // t = of_own_sum * own sum + of_other_sum * other sum

  UPS_HD PairGradient(const DistanceCoefficients& c, double of_c, double of_v, const VariableSums& own,
                      const VariableSums& other)
      : of_own(2 * c.c1 * of_v), of_other(c.c1 * of_c), of_own_sum(-2 * c.c2 * of_v), of_other_sum(-c.c2 * of_c),
        constant(c.c3 * (of_c * other.mean + 2 * of_v * own.mean)) {}
};

// From the sums to the value and everything that the gradients are made of, in units of the scaled
// coordinates.
struct MultivariateValue {
  double value, unit;  // `unit`: what derivatives of the scaled value are multiplied by
  DistanceValue scaled;
  PairGradient by_x, by_y;
  double moved = 0;  // the derivative by every p alike

  // `pairs`: sum p_i p_j a_ij b_ij, `products`: sum p_i alpha_i beta_i, `weight`: sum p.
  UPS_HD MultivariateValue(const ups_distance_correlation_options& options, const DistanceCoefficients& c,
                           const VariableSums& x, const VariableSums& y, double pairs, double products, double weight)
      : value(0), unit(options.quantity == UPS_DISTANCE_COVARIANCE ? 1 / x.scale / y.scale : 1),
        scaled(options, c.c1 * pairs - 2 * c.c2 * products + c.c3 * x.mean * y.mean, x.variance(c, weight),
               y.variance(c, weight)),
        by_x(c, scaled.of_c, scaled.of_vx, x, y), by_y(c, scaled.of_c, scaled.of_vy, y, x) {
    value = scaled.value * unit;
    // With the weights as given, c2 = 2 - sum p moves as well.
    if (options.weight_sum == UPS_WEIGHTS_GIVEN)
      moved =
          2 * (scaled.of_c * (products - c.c2 * x.mean * y.mean) + scaled.of_vx * (x.squares - c.c2 * x.mean * x.mean) +
               scaled.of_vy * (y.squares - c.c2 * y.mean * y.mean));
  }

  // The derivative by p_k. `products`: sum_j p_j a_kj b_kj; `x_squares`: sum_j p_j a_kj², and so
  // for y; `through`: sum_j p_j (a_kj t^x_j + b_kj t^y_j); `alpha`, `beta`: those of k.
  UPS_HD double by_weight(const DistanceCoefficients& c, double products, double x_squares, double y_squares,
                          double through, double alpha, double beta, double x_mean, double y_mean) const {
    const double pairs = scaled.of_c * products + scaled.of_vx * x_squares + scaled.of_vy * y_squares;
    const double sums = scaled.of_c * alpha * beta + scaled.of_vx * alpha * alpha + scaled.of_vy * beta * beta;
    const double means = scaled.of_c * (alpha * y_mean + x_mean * beta) + 2 * scaled.of_vx * alpha * x_mean +
                         2 * scaled.of_vy * beta * y_mean;
    return 2 * (c.c1 * pairs - c.c2 * sums + through + c.c3 * means) + moved;
  }
};

}  // namespace upsilon
