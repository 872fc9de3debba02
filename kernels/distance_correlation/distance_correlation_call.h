// A checked call of distance_correlation, as plain numbers and pointers, and the arithmetic around
// the sums that every variant shares: from weights to coefficients, from C, Vx, Vy to the value and
// its derivatives.
#pragma once
#include <cmath>

#include "core/named_call.h"
#include "lib/kernel.h"
#include "distance_correlation/distance_correlation.h"

#if !defined(UPS_HD)
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

inline constexpr OperationLine distance_correlation_forward_line{"distance_correlation_forward",
                                                                 UPS_DISTANCE_CORRELATION_FORWARD_SCHEMA};
using DistanceCorrelationForwardCall = CallOf<distance_correlation_forward_line, ups_distance_correlation_options>;
inline constexpr OperationLine distance_correlation_backward_line{"distance_correlation_backward",
                                                                  UPS_DISTANCE_CORRELATION_BACKWARD_SCHEMA};
using DistanceCorrelationBackwardCall = CallOf<distance_correlation_backward_line, ups_distance_correlation_options>;

template <class T>
struct DistanceCorrelation {
  int64_t variables, elements, sets;
  const T *x, *y, *weights;
  const int32_t *offsets, *order;  // order: null where y is to be sorted
  const double* dvalue = nullptr;  // of backward, like the gradients
  double* value;
  T *dx = nullptr, *dy = nullptr, *dweights = nullptr;
  ups_distance_correlation_options options;

  template <NamedCall Named>
  explicit DistanceCorrelation(const Named& call)
      : variables(call.dim("K")), elements(call.dim("N")), sets(call.dim("B")), x(call["x"]), y(call["y"]),
        weights(call["weights"]), offsets(call["offsets"]), order(call["order"]), value(call["value"]),
        options(call.options()) {}
};

template <class T>
struct DistanceCorrelationForward : DistanceCorrelation<T> {
  explicit DistanceCorrelationForward(const DistanceCorrelationForwardCall& call) : DistanceCorrelation<T>(call) {}
};

template <class T>
struct DistanceCorrelationBackward : DistanceCorrelation<T> {
  explicit DistanceCorrelationBackward(const DistanceCorrelationBackwardCall& call) : DistanceCorrelation<T>(call) {
    this->dvalue = call["dvalue"];
    this->dx = call["dx"];
    this->dy = call["dy"];
    this->dweights = call["dweights"];
  }
};

// The U-statistic knows no weights, and there is no gradient by weights that are not given.
// p = weight * scale, and how the three sums are put together.
struct DistanceCoefficients {
  double scale, c1, c2, c3;
  bool defined;  // false: too few elements, or weights that sum to 0

  // `sum`: of the weights, or the number of elements where there are none.
  UPS_HD DistanceCoefficients(const ups_distance_correlation_options& options, int64_t count, double sum)
      : scale(0), c1(1), c2(1), c3(1), defined(false) {
    const double n = static_cast<double>(count);
    if (options.estimator == UPS_DISTANCE_UNBIASED) {
      if (count < 4) return;
      scale = 1;
      c1 = 1 / (n * (n - 3));
      c2 = c1 / (n - 2);
      c3 = c2 / (n - 1);
    } else {
      if (count < 2 || sum == 0) return;
      scale = 1 / (options.weight_sum == UPS_WEIGHTS_GIVEN ? n : sum);
      if (options.weight_sum == UPS_WEIGHTS_GIVEN) {
        c2 = 2 - sum / n;
        c3 = c2 * c2;
      }
    }
    defined = true;
  }
};

// Sums over some elements of p, p y, p beta and p alpha.
struct DistanceSums {
  double p, y, beta, alpha;
};

// One element as it stands in the order of (x, y), in shifted coordinates. below: the sum of p (y_k
// - y_j) over j before it in both orders; own_p, own_y: sums of p and p y over what is before it in
// its group of equal x.
struct DistanceElement {
  double below, x, y, p, alpha, beta, own_p, own_y;
};

// Of all elements: sums of p, p x, p alpha and p beta.
struct DistanceTotals {
  double weight, x, alpha, beta;
};

// E_k and F_k: half of dC/dx_k and a quarter of dVx/dx_k, over p_k. With s_kj = sgn(x_k - x_j),
// summed over j with p_j,
//   D = sum s |y_k - y_j|, T = sum s, U^z = sum s z
//   E = c1 D - c2 (beta T + U^beta) + c3 B T, and F is E with x for y
// D needs the sum of |y_k - y_j| over everything earlier in x: twice `below`, corrected by linear
// sums. Within a group of equal x, which stands in the order of y, s is 0: the group's own part is
// taken off again. `before`: sums over what is before the group, `group`: over the group.
struct DistanceSlopes {
  double e, f;
  UPS_HD DistanceSlopes(const DistanceCoefficients& c, const DistanceElement& k, const DistanceSums& before,
                        const DistanceSums& group, const DistanceTotals& all) {
    const double t = 2 * before.p + group.p - all.weight, u_beta = 2 * before.beta + group.beta - all.beta,
                 u_alpha = 2 * before.alpha + group.alpha - all.alpha;
    const double earlier = 2 * k.below - k.y * (before.p + k.own_p) + (before.y + k.own_y);
    const double own_before = k.y * k.own_p - k.own_y;
    const double own_after = (group.y - k.own_y - k.p * k.y) - k.y * (group.p - k.own_p - k.p);
    const double d = 2 * earlier - k.beta - own_before + own_after;
    e = c.c1 * d - c.c2 * (k.beta * t + u_beta) + c.c3 * all.beta * t;
    f = c.c1 * (all.weight * k.x - all.x) - c.c2 * (k.alpha * t + u_alpha) + c.c3 * all.alpha * t;
  }
};

// The value and what multiplies the gradients of C, Vx and Vy.
struct DistanceValue {
  double value = 0, of_c = 0, of_vx = 0, of_vy = 0;

  UPS_HD DistanceValue() {}
  UPS_HD DistanceValue(const ups_distance_correlation_options& options, double c, double vx, double vy) {
    if (options.quantity == UPS_DISTANCE_COVARIANCE) {
      value = c;
      of_c = 1;
      return;
    }
    const double product = vx * vy;
    if (product == 0) return;
    const double ratio = c / std::sqrt(product);
    value = options.power == 1 ? ratio : std::pow(ratio, options.power);
    const double slope = options.power == 1 ? 1 : options.power * std::pow(ratio, options.power - 1);
    of_c = slope / std::sqrt(product);
    of_vx = -slope * ratio / (2 * vx);
    of_vy = -slope * ratio / (2 * vy);
  }
};

}  // namespace upsilon
