/* pair_cost: how far every prediction of an event is from every target of it.
 *
 * Event b has the predictions prediction_offsets[b] .. and the targets target_offsets[b] .. of F
 * features. cost has one matrix of predictions by targets per event, row by row, one event after
 * the other; P must be the sum of their sizes.
 *   squaredError  sum_f (p_f - t_f)^2        absoluteError  sum_f |p_f - t_f|
 *   crossEntropy  -sum_f t_f ln softmax(p)_f, where p are logits and t probabilities of F classes,
 *                 one-hot or soft
 * Entries behind the last matrix are 0, and so are those of a matrix that does not fit.
 *
 * Backward takes only pairs whose dcost is not 0, so that of a loss of matched pairs nothing else
 * is computed, and NaN elsewhere does not matter. The slope of |.| at 0 is 0. Rows outside every
 * event have the gradient 0. Sums are made in the order of pairs: the same bits for any number of
 * threads and any batching. */
#ifndef UPSILON_OPS_PAIR_COST_H
#define UPSILON_OPS_PAIR_COST_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_PAIR_COST_INPUTS_SCHEMA                                                     \
  "prediction: real[N, F], prediction_offsets: i32[B+1] splits N, target: real[M, F], " \
  "target_offsets: i32[B+1] splits M"
#define UPS_PAIR_COST_OPTIONS_SCHEMA "; kind: squaredError|absoluteError|crossEntropy"
#define UPS_PAIR_COST_FORWARD_SCHEMA UPS_PAIR_COST_INPUTS_SCHEMA " -> cost: real[P]" UPS_PAIR_COST_OPTIONS_SCHEMA
#define UPS_PAIR_COST_BACKWARD_SCHEMA \
  UPS_PAIR_COST_INPUTS_SCHEMA         \
  ", dcost: real[P] -> dprediction?: real[N, F], dtarget?: real[M, F]" UPS_PAIR_COST_OPTIONS_SCHEMA

typedef enum ups_pair_cost_kind {
  UPS_PAIR_SQUARED_ERROR,
  UPS_PAIR_ABSOLUTE_ERROR,
  UPS_PAIR_CROSS_ENTROPY
} ups_pair_cost_kind;

typedef struct ups_pair_cost_options {
  size_t size UPS_DEFAULT(sizeof(ups_pair_cost_options)); /* of this struct; 0: all defaults */
  int32_t kind UPS_DEFAULT(0); /* ups_pair_cost_kind */
} ups_pair_cost_options;

UPS_API ups_status ups_pair_cost_forward(ups_context* context, const ups_tensor* prediction,
                                         const ups_tensor* prediction_offsets, const ups_tensor* target,
                                         const ups_tensor* target_offsets, ups_tensor* cost,
                                         const ups_pair_cost_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_pair_cost_backward(ups_context* context, const ups_tensor* prediction,
                                          const ups_tensor* prediction_offsets, const ups_tensor* target,
                                          const ups_tensor* target_offsets, const ups_tensor* dcost,
                                          ups_tensor* dprediction, ups_tensor* dtarget,
                                          const ups_pair_cost_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
