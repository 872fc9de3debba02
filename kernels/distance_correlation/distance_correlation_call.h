// A checked call of distance_correlation, as plain numbers and pointers, and the arithmetic around the sums that every
// variant shares: from weights to coefficients, from C, Vx, Vy to the value and its derivatives.
#pragma once
#include <cmath>

#include "common/kernel.h"
#include "distance_correlation/distance_correlation.h"

#if !defined(UPS_HD)
#define UPS_HD  // __host__ __device__ where CUDA compiles
#endif

namespace upsilon {

template <class T>
struct DistanceCorrelation {
  int64_t variables, elements, sets;
  const T *x, *y, *weights;
  const int32_t *offsets, *order;  // order: null where y is to be sorted
  const double* dvalue = nullptr;  // backward only, like the gradients
  double* value;
  T *dx = nullptr, *dy = nullptr, *dweights = nullptr;
  ups_distance_correlation_options options;

  DistanceCorrelation(const Call& call, bool backward)
      : variables(call.dims[0]), elements(call.dims[1]), sets(call.dims[2]), x(call.data<const T>(0)),
        y(call.data<const T>(1)), weights(call.data<const T>(2)), offsets(call.data<const int32_t>(3)),
        order(call.data<const int32_t>(4)), value(call.data<double>(backward ? 6 : 5)), options(call.option<ups_distance_correlation_options>()) {
    if (!backward) return;
    dvalue = call.data<const double>(5);
    dx = call.data<T>(7);
    dy = call.data<T>(8);
    dweights = call.data<T>(9);
  }
};

// The U-statistic knows no weights, and there is no gradient by weights that are not given.
inline bool distance_correlation_supports(const Call& call) {
  return call.given(2) ? call.option<ups_distance_correlation_options>().estimator == UPS_DISTANCE_BIASED : true;
}
inline bool distance_correlation_backward_supports(const Call& call) {
  return distance_correlation_supports(call) && (call.given(2) || !call.given(9));
}

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
