/* grav_net: what a GravNet layer (arXiv:1902.07987) collects from the neighbours of every point.
 *
 *   w_ij = exp(-10 |s_i - s_j|^2)
 *   mean_i = mean of w_ij h_j,   max_i = max of w_ij h_j,   over the edges j -> i
 * s is the point's place in the learned space, h its features. The neighbours come as a graph
 * (knn_graph of s), whose rows list the sources of a node. convention:
 *   pyg    y_i = [mean_i, max_i], as PyTorch Geometric's GravNetConv
 *   hgcal  y_i = [max_i, mean_i], as HGCalML's caloGraphNN
 * A node without edges gets 0. Ties of the maximum go to the first edge of the row, which alone
 * gets the gradient; a NaN makes it NaN. Gradients pass through the features and, by w, through
 * both ends' places; the choice of the neighbours, which depends on s, is not differentiated.
 * Backward needs the transposed graph. Sums run in the order of the edges: the same bits for any
 * number of threads. */
#ifndef UPSILON_OPS_GRAV_NET_H
#define UPSILON_OPS_GRAV_NET_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_GRAV_NET_FORWARD_SCHEMA                                                                  \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, space: real[N, S], features: real[N, P]" \
  " -> y: real[N, P+P]; convention: pyg|hgcal"
#define UPS_GRAV_NET_BACKWARD_SCHEMA                                                                 \
  "row_offsets: i32[N+1] splits E, sources: i32[E] below N, transposed_offsets: i32[N+1] splits E, " \
  "targets: i32[E] below N, edges: i32[E] below E, space: real[N, S], features: real[N, P], "        \
  "dy: real[N, P+P] -> dspace?: real[N, S], dfeatures?: real[N, P]; convention: pyg|hgcal"

typedef enum ups_grav_net_convention { UPS_GRAV_NET_PYG, UPS_GRAV_NET_HGCAL } ups_grav_net_convention;

typedef struct ups_grav_net_options {
  size_t size UPS_DEFAULT(sizeof(ups_grav_net_options)); /* of this struct; 0: all defaults */
  int32_t convention UPS_DEFAULT(0); /* ups_grav_net_convention */
} ups_grav_net_options;

UPS_API ups_status ups_grav_net_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                        const ups_tensor* space, const ups_tensor* features, ups_tensor* y,
                                        const ups_grav_net_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_grav_net_backward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                         const ups_tensor* transposed_offsets, const ups_tensor* targets,
                                         const ups_tensor* edges, const ups_tensor* space, const ups_tensor* features,
                                         const ups_tensor* dy, ups_tensor* dspace, ups_tensor* dfeatures,
                                         const ups_grav_net_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
