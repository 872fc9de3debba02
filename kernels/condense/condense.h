/* condense: clusters from object condensation's output (Kieseler, arXiv:2002.03605, section 3), in
 * any dimension.
 *
 * In each event, again and again: the hit of highest beta that is in no cluster yet, if its beta >
 * t_beta, becomes a condensation point, and it and all hits in no cluster yet with |x_i - x_point|
 * <= t_d become its cluster. So points lie further than t_d apart, and a hit goes to the strongest
 * point that reaches it. Ties of beta: the lower index.
 *
 * clusters[i]: the number of i's cluster inside its event, 0 for that of the highest beta; -1 for
 * none. points[offsets[b] + k]: the row of the condensation point of cluster k of event b; -1 for k
 * >= counts[b]. Rows outside every event have -1. The same numbers on every device, for any number
 * of threads and any batching. */
#ifndef UPSILON_OPS_CONDENSE_H
#define UPSILON_OPS_CONDENSE_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_CONDENSE_SCHEMA                                                                                      \
  "beta: real[N] finite, x: real[N, D] finite, offsets: i32[B+1] splits N -> clusters: i32[N], points: i32[N], " \
  "counts: i32[B]; t_beta: f32 = 0.1, t_d: f32 = 0.5"

typedef struct ups_condense_options {
  size_t size UPS_DEFAULT(sizeof(ups_condense_options)); /* of this struct; 0: all defaults */
  float t_beta UPS_DEFAULT(0.1f), t_d UPS_DEFAULT(0.5f);
} ups_condense_options;

UPS_API ups_status ups_condense(ups_context* context, const ups_tensor* beta, const ups_tensor* x,
                                const ups_tensor* offsets, ups_tensor* clusters, ups_tensor* points, ups_tensor* counts,
                                const ups_condense_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
