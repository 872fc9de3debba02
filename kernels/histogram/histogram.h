/* histogram: weighted counts of N numbers in bins, and histogram_2d of N pairs; numpy's histogram
 * and histogram2d.
 *
 * B + 1 increasing edges make B bins: number k holds edges[k] <= x < edges[k+1], the last one its
 * upper edge too. Comparisons are exact: x and edges as float64, whatever the spacing. Edges may be
 * infinite. What lies outside is ignored or, with `clamped`, counted in the nearest bin. NaN is
 * refused. With edges that do not increase the counts are undefined.
 *   counts[k]  = sum over the elements of weight * share in bin k; weights are 1 where left out,
 *                and may be zero or negative
 *   squares[k] = sum of (weight * share)²: the variance of the counts
 * spread none: an element has the share 1 in its bin. spread linear: it is shared out between the
 * two bins whose centres it lies between, by its distances to them ("cloud in cell", R. Hockney, J.
 * Eastwood, Computer Simulation Using Particles, 1988; bilinear in two dimensions), so that the
 * counts have a gradient in x: weight * (dcounts[k+1] - dcounts[k]) / (distance of the centres).
 * Below the first centre, above the last and beside bins without an end an element counts in one
 * bin, with gradient 0.
 *
 * The gradient of a weight is exact either way: what dcounts has at its bins. dx is 0 with spread
 * none, where counts jump. Sums are float64, over chunks of fixed size that are added up in order:
 * the same bits for any number of threads. */
#ifndef UPSILON_OPS_HISTOGRAM_H
#define UPSILON_OPS_HISTOGRAM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_HISTOGRAM_OPTIONS_SCHEMA "; outside: ignored|clamped, spread: none|linear"
#define UPS_HISTOGRAM_INPUTS_SCHEMA "x: real[N] numbers, edges: f64[B+1], weights?: real[N] finite"
#define UPS_HISTOGRAM_FORWARD_SCHEMA \
  UPS_HISTOGRAM_INPUTS_SCHEMA " -> counts?: f64[B], squares?: f64[B]" UPS_HISTOGRAM_OPTIONS_SCHEMA
#define UPS_HISTOGRAM_BACKWARD_SCHEMA \
  UPS_HISTOGRAM_INPUTS_SCHEMA ", dcounts: f64[B] -> dx?: real[N], dweights?: real[N]" UPS_HISTOGRAM_OPTIONS_SCHEMA
#define UPS_HISTOGRAM_2D_INPUTS_SCHEMA \
  "x: real[N] numbers, y: real[N] numbers, x_edges: f64[A+1], y_edges: f64[B+1], weights?: real[N] finite"
#define UPS_HISTOGRAM_2D_FORWARD_SCHEMA \
  UPS_HISTOGRAM_2D_INPUTS_SCHEMA " -> counts?: f64[A, B], squares?: f64[A, B]" UPS_HISTOGRAM_OPTIONS_SCHEMA
#define UPS_HISTOGRAM_2D_BACKWARD_SCHEMA \
  UPS_HISTOGRAM_2D_INPUTS_SCHEMA         \
  ", dcounts: f64[A, B] -> dx?: real[N], dy?: real[N], dweights?: real[N]" UPS_HISTOGRAM_OPTIONS_SCHEMA

typedef enum ups_outside { UPS_OUTSIDE_IGNORED, UPS_OUTSIDE_CLAMPED } ups_outside;
typedef enum ups_spread { UPS_SPREAD_NONE, UPS_SPREAD_LINEAR } ups_spread;

typedef struct ups_histogram_options {
  size_t size UPS_DEFAULT(sizeof(ups_histogram_options)); /* of this struct; 0: all defaults */
  int32_t outside UPS_DEFAULT(0); /* ups_outside */
  int32_t spread UPS_DEFAULT(0); /* ups_spread */
} ups_histogram_options;

UPS_API ups_status ups_histogram_forward(ups_context* context, const ups_tensor* x, const ups_tensor* edges,
                                         const ups_tensor* weights, ups_tensor* counts, ups_tensor* squares,
                                         const ups_histogram_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_histogram_backward(ups_context* context, const ups_tensor* x, const ups_tensor* edges,
                                          const ups_tensor* weights, const ups_tensor* dcounts, ups_tensor* dx,
                                          ups_tensor* dweights, const ups_histogram_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_histogram_2d_forward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                            const ups_tensor* x_edges, const ups_tensor* y_edges,
                                            const ups_tensor* weights, ups_tensor* counts, ups_tensor* squares,
                                            const ups_histogram_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_histogram_2d_backward(ups_context* context, const ups_tensor* x, const ups_tensor* y,
                                             const ups_tensor* x_edges, const ups_tensor* y_edges,
                                             const ups_tensor* weights, const ups_tensor* dcounts, ups_tensor* dx,
                                             ups_tensor* dy, ups_tensor* dweights,
                                             const ups_histogram_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
