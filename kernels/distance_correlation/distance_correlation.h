/* distance_correlation: how much two variables depend on each other (G. Székely, M. Rizzo, N.
 * Bakirov, Ann. Statist. 35, 2769 (2007)), and its gradient: the decorrelation loss of G. Kasieczka
 * and D. Shih, arXiv:2001.05310 ("DisCo").
 *
 * N elements in B sets (mass bins, or one set of all), K variables against one y. Within a set,
 * with a_ij = |x_i - x_j|, b_ij = |y_i - y_j| and the weights p:
 *   alpha_i = sum_j p_j a_ij, beta_i = sum_j p_j b_ij, A = sum p alpha, B = sum p beta
 *   C = c1 sum_ij p_i p_j a_ij b_ij - 2 c2 sum_i p_i alpha_i beta_i + c3 A B
 * and Vx is C of x with itself, Vy that of y. The value is, by `quantity`,
 *   covariance   C, the squared distance covariance
 *   correlation  (C / sqrt(Vx Vy))^power: with power 1 the squared distance correlation, which is
 *                DisCo's power 1 (its other powers are those of the TensorFlow code)
 * estimator biased (the V-statistic): p = w / sum w, c1 = c2 = c3 = 1. weight_sum given (DisCo's
 * arithmetic, which takes the weights as they are and expects their sum to be n): p = w / n, c1 =
 * 1, c2 = 2 - P, c3 = c2² with P = sum p. estimator unbiased (the U-statistic, without weights): p
 * = 1, c1 = 1/(n(n-3)), c2 = c1/(n-2), c3 = c2/(n-1); it may be negative.
 *
 * Weights may be zero (as if the element were not there) or negative. A set in which x or y is
 * constant where weights are not 0, whose weights sum to 0, with fewer than two elements (unbiased:
 * four), or with Vx Vy = 0, gives 0 and no gradient. Vx Vy < 0, which negative weights can bring
 * about, gives NaN. Where elements coincide, |.| has the derivative 0.
 *
 * Backward gives the value too: both share nearly all their work, O(n log n) in time and O(n) in
 * memory. dx is always cheap; dy costs as much again (the roles are swapped), and so do weights. dy
 * and dweights are summed over the variables. Elements outside offsets[0] .. offsets[B] get the
 * gradient 0.
 * order, where it is given, is argsort's of y in the same sets: y is then not sorted again, and the
 * results are the same. Sums are float64, in chunks of fixed size: the same bits for any number of
 * threads. docs/distance-correlation.md derives all of it.
 *
 * multivariate_distance_correlation: the same of N points, one set, with Dx and Dy coordinates,
 * where a and b are Euclidean distances. O(N²) in time, since no sort orders points in several
 * dimensions, and O(N) in memory: pairs are looked at once for the sums and once for the gradients,
 * and none is kept. Points of one coordinate on both sides are better given to
 * distance_correlation. Differences below 2^-500 of the largest coordinate count as none. */
#ifndef UPSILON_OPS_DISTANCE_CORRELATION_H
#define UPSILON_OPS_DISTANCE_CORRELATION_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_DISTANCE_CORRELATION_OPTIONS_SCHEMA \
  "; power: f64 = 1, quantity: correlation|covariance, estimator: biased|unbiased, weight_sum: normalized|given"
#define UPS_DISTANCE_CORRELATION_INPUTS_SCHEMA                                                              \
  "x: real[K, N] finite, y: real[N] finite, weights?: real[N] finite, offsets: i32[B+1] splits N, order?: " \
  "i32[N] sorts y by offsets"
#define UPS_DISTANCE_CORRELATION_FORWARD_SCHEMA \
  UPS_DISTANCE_CORRELATION_INPUTS_SCHEMA " -> value: f64[K, B]" UPS_DISTANCE_CORRELATION_OPTIONS_SCHEMA
#define UPS_DISTANCE_CORRELATION_BACKWARD_SCHEMA                                         \
  UPS_DISTANCE_CORRELATION_INPUTS_SCHEMA                                                 \
  ", dvalue: f64[K, B] -> value?: f64[K, B], dx?: real[K, N], dy?: real[N], dweights?: " \
  "real[N]" UPS_DISTANCE_CORRELATION_OPTIONS_SCHEMA
#define UPS_MULTIVARIATE_DISTANCE_CORRELATION_INPUTS_SCHEMA \
  "x: real[N, Dx] finite, y: real[N, Dy] finite, weights?: real[N] finite"
#define UPS_MULTIVARIATE_DISTANCE_CORRELATION_FORWARD_SCHEMA \
  UPS_MULTIVARIATE_DISTANCE_CORRELATION_INPUTS_SCHEMA " -> value: f64[]" UPS_DISTANCE_CORRELATION_OPTIONS_SCHEMA
#define UPS_MULTIVARIATE_DISTANCE_CORRELATION_BACKWARD_SCHEMA                         \
  UPS_MULTIVARIATE_DISTANCE_CORRELATION_INPUTS_SCHEMA                                 \
  ", dvalue: f64[] -> value?: f64[], dx?: real[N, Dx], dy?: real[N, Dy], dweights?: " \
  "real[N]" UPS_DISTANCE_CORRELATION_OPTIONS_SCHEMA

typedef enum ups_distance_quantity { UPS_DISTANCE_CORRELATION, UPS_DISTANCE_COVARIANCE } ups_distance_quantity;
typedef enum ups_distance_estimator { UPS_DISTANCE_BIASED, UPS_DISTANCE_UNBIASED } ups_distance_estimator;
typedef enum ups_weight_sum { UPS_WEIGHTS_NORMALIZED, UPS_WEIGHTS_GIVEN } ups_weight_sum;

typedef struct ups_distance_correlation_options {
  size_t size UPS_DEFAULT(sizeof(ups_distance_correlation_options)); /* of this struct; 0: all defaults */
  double power UPS_DEFAULT(1); /* of correlation */
  int32_t quantity UPS_DEFAULT(0); /* ups_distance_quantity */
  int32_t estimator UPS_DEFAULT(0); /* ups_distance_estimator; unbiased takes no weights */
  int32_t weight_sum UPS_DEFAULT(0); /* ups_weight_sum */
} ups_distance_correlation_options;

UPS_API ups_status ups_distance_correlation_forward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                                    const ups_tensor* weights, const ups_tensor* offsets,
                                                    const ups_tensor* order, ups_tensor* value,
                                                    const ups_distance_correlation_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_distance_correlation_backward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                                     const ups_tensor* weights, const ups_tensor* offsets,
                                                     const ups_tensor* order, const ups_tensor* dvalue,
                                                     ups_tensor* value, ups_tensor* dx, ups_tensor* dy,
                                                     ups_tensor* dweights,
                                                     const ups_distance_correlation_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_multivariate_distance_correlation_forward(
    ups_context* context, const ups_tensor* x, const ups_tensor* y, const ups_tensor* weights, ups_tensor* value,
    const ups_distance_correlation_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_multivariate_distance_correlation_backward(
    ups_context* context, const ups_tensor* x, const ups_tensor* y, const ups_tensor* weights, const ups_tensor* dvalue,
    ups_tensor* value, ups_tensor* dx, ups_tensor* dy, ups_tensor* dweights,
    const ups_distance_correlation_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
