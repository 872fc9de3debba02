/* divergence: how far two histograms of the same B bins are apart. With n and m their contents,
 *   P_k = (max(n_k, 0) + c) / sum of these, Q_k the same of m, c the pseudocount, M = (P + Q) / 2,
 *   kullbackLeibler  KL(P, Q) = sum over k of P_k log(P_k / Q_k)
 *   jensenShannon    (KL(P, M) + KL(Q, M)) / 2: 0 for equal shapes, log 2 for disjoint ones
 * with logarithms to `base`: in base 2 the Jensen-Shannon divergence lies between 0 and 1 (J. Lin,
 * IEEE Trans. Inf. Theory 37, 145 (1991)).
 *
 * Neither is ever below 0 (for a base above 1), not by rounding either. 0 log 0 is 0. A bin with
 * Q_k = 0 where P_k is not makes the Kullback-Leibler divergence infinite; a pseudocount avoids
 * that. Contents below 0, which negative weights can bring about, count as 0. An empty histogram,
 * or one without bins, gives NaN.
 *
 * Backward: dp and dq are the gradients with respect to the contents, normalisation included. A
 * content of 0 or less has the gradient 0: there the derivative is infinite or one-sided. So has a
 * bin whose Kullback-Leibler term is infinite. All sums are in the order of the bins, in one
 * thread: histograms have few. */
#ifndef UPSILON_OPS_DIVERGENCE_H
#define UPSILON_OPS_DIVERGENCE_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_DIVERGENCE_OPTIONS_SCHEMA \
  "; base: f64 = 2 above 0, pseudocount: f64 = 0 from 0, kind: jensenShannon|kullbackLeibler"
#define UPS_DIVERGENCE_FORWARD_SCHEMA "p: f64[B], q: f64[B] -> value: f64[]" UPS_DIVERGENCE_OPTIONS_SCHEMA
#define UPS_DIVERGENCE_BACKWARD_SCHEMA \
  "p: f64[B], q: f64[B], dvalue: f64[] -> dp?: f64[B], dq?: f64[B]" UPS_DIVERGENCE_OPTIONS_SCHEMA

typedef enum ups_divergence_kind { UPS_JENSEN_SHANNON, UPS_KULLBACK_LEIBLER } ups_divergence_kind;

typedef struct ups_divergence_options {
  size_t size UPS_DEFAULT(sizeof(ups_divergence_options)); /* of this struct; 0: all defaults */
  double base UPS_DEFAULT(2); /* of the logarithm, positive and not 1 */
  double pseudocount UPS_DEFAULT(0); /* added to every content, not negative */
  int32_t kind UPS_DEFAULT(0); /* ups_divergence_kind */
} ups_divergence_options;

UPS_API ups_status ups_divergence_forward(ups_context* context, const ups_tensor* p, const ups_tensor* q,
                                          ups_tensor* value, const ups_divergence_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_divergence_backward(ups_context* context, const ups_tensor* p, const ups_tensor* q,
                                           const ups_tensor* dvalue, ups_tensor* dp, ups_tensor* dq,
                                           const ups_divergence_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
