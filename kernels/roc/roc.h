/* roc: how well scores separate signal from background.
 *
 * N scores with labels (0 background, anything else signal) and weights (1 where left out; zero and
 * negative ones are plain numbers). A cut t keeps the elements with score >= t; with S and B the
 * sums of all signal and background weights,
 *   true positive rate(t) = kept signal / S, false positive rate(t) = kept background / B.
 * Point 0 keeps nothing (threshold +infinity); point k cuts at the k-th score from above. Elements
 * of equal score enter together, so their points are the same: the curve is exact, and its distinct
 * points are sklearn's roc_curve without dropped ones.
 *   auc: the area below the straight lines between the points: the probability, by weight, that a
 *   signal element scores above a background element, ties counting one half.
 *   rejection, cut: for each wanted efficiency, 1 / false positive rate (infinity where it is 0)
 *   and threshold of the point whose true positive rate is nearest; of several, the one with the
 *   highest threshold.
 * Without signal or without background (S or B is 0) rates divided by it are NaN or infinite. O(N)
 * after a radix sort. All sums are float64, in the order of the scores: the same bits for any
 * number of threads. NaN scores are refused. There is no gradient: the curve is piecewise
 * constant. */
#ifndef UPSILON_OPS_ROC_H
#define UPSILON_OPS_ROC_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_ROC_SCHEMA                                                                                       \
  "scores: real[N] numbers, labels: u8[N], weights?: real[N] finite, efficiencies?: f64[K] -> auc?: f64[], " \
  "false_positive?: f64[N+1], true_positive?: f64[N+1], thresholds?: f64[N+1], rejection?: f64[K], cut?: f64[K]"

UPS_API ups_status ups_roc(ups_context* context, const ups_tensor* scores, const ups_tensor* labels,
                           const ups_tensor* weights, const ups_tensor* efficiencies, ups_tensor* auc,
                           ups_tensor* false_positive, ups_tensor* true_positive, ups_tensor* thresholds,
                           ups_tensor* rejection, ups_tensor* cut) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
