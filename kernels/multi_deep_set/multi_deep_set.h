/* multi_deep_set: deep sets over several sets of particles per event, of different widths and
 * multiplicities.
 *
 * Set s of event b is the rows offsets_s[b] <= i < offsets_s[b+1] of x_s; h is phi_s's result for a
 * row (layers as in mlp.h, up to four). There are one to eight sets, given from 0 on without gaps.
 * fuse:
 *   after    y[b, :] = the pooled h of set 0, of set 1 ... side by side; W is the sum of the widths
 *            of their last layers
 *   before   y[b, :] = the pool of the h of all sets together; every phi ends with W features
 * An MLP of y, per event, is ups_mlp_forward. Pooling, particle weights, empty sets and NaN as in
 * deep_set.h, for each set by itself or for their union; of equal extremes that of the first set
 * gets the gradient. A set without weights in a weighted mean of several counts each particle once.
 * Backward computes the layers again (twice for extremes with fuse before, on a device for all
 * extremes). As in deep_set.h, hidden activations are never stored as a whole, and the bits are the
 * same for any number of threads; sets are computed one after the other. The schema has eleven
 * arguments for each of eight sets; those of sets that are not used are left out. */
#ifndef UPSILON_OPS_MULTI_DEEP_SET_H
#define UPSILON_OPS_MULTI_DEEP_SET_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_MULTI_DEEP_SET_MAX_SETS 8
#define UPS_MULTI_DEEP_SET_MAX_LAYERS 4

#define UPS_MULTI_DEEP_SET_INPUTS_SCHEMA                                                                          \
  "{s=0..7: x<s><s?>: real[N<s>, K<s>], offsets<s><s?>: i32[B+1] splits N<s>, particle_weights<s>?: real[N<s>], " \
  "phi<s>_weight0<s?>: real[M<s>_0, K<s>], phi<s>_bias0?: real[M<s>_0], "                                         \
  "{l=1..3: phi<s>_weight<l>?: real[M<s>_<l>, M<s>_<l-1>], phi<s>_bias<l>?: real[M<s>_<l>]}}"
#define UPS_MULTI_DEEP_SET_GRADIENTS_SCHEMA                                \
  "{s=0..7: dx<s>?: real[N<s>, K<s>], dparticle_weights<s>?: real[N<s>], " \
  "dphi<s>_weight0?: real[M<s>_0, K<s>], dphi<s>_bias0?: real[M<s>_0], "   \
  "{l=1..3: dphi<s>_weight<l>?: real[M<s>_<l>, M<s>_<l-1>], dphi<s>_bias<l>?: real[M<s>_<l>]}}"
#define UPS_MULTI_DEEP_SET_OPTIONS_SCHEMA \
  "; {s=0..7: {l=0..3: phi<s>_activation<l>: activation}}, pool: sum|mean|max|min, fuse: after|before"
#define UPS_MULTI_DEEP_SET_FORWARD_SCHEMA \
  UPS_MULTI_DEEP_SET_INPUTS_SCHEMA " -> y: real[B, W]" UPS_MULTI_DEEP_SET_OPTIONS_SCHEMA
#define UPS_MULTI_DEEP_SET_BACKWARD_SCHEMA \
  UPS_MULTI_DEEP_SET_INPUTS_SCHEMA         \
  ", dy: real[B, W] -> " UPS_MULTI_DEEP_SET_GRADIENTS_SCHEMA UPS_MULTI_DEEP_SET_OPTIONS_SCHEMA

typedef enum ups_fuse { UPS_FUSE_AFTER, UPS_FUSE_BEFORE } ups_fuse;

typedef struct ups_multi_deep_set_options {
  size_t size UPS_DEFAULT(sizeof(ups_multi_deep_set_options)); /* of this struct; 0: all defaults */
  int32_t activation[UPS_MULTI_DEEP_SET_MAX_SETS][UPS_MULTI_DEEP_SET_MAX_LAYERS] UPS_DEFAULT({}); /* ups_activation */
  int32_t pool UPS_DEFAULT(0); /* ups_pool */
  int32_t fuse UPS_DEFAULT(0); /* ups_fuse */
} ups_multi_deep_set_options;

/* One set of particles per event, and its phi; NULL for what is not given. */
typedef struct ups_multi_deep_set_set {
  const ups_tensor *x, *offsets, *particle_weights;
  const ups_tensor *weights[UPS_MULTI_DEEP_SET_MAX_LAYERS], *biases[UPS_MULTI_DEEP_SET_MAX_LAYERS];
} ups_multi_deep_set_set;

/* Where its gradients go; NULL for what is not wanted. */
typedef struct ups_multi_deep_set_gradients {
  const ups_tensor *dx, *dparticle_weights;
  const ups_tensor *dweights[UPS_MULTI_DEEP_SET_MAX_LAYERS], *dbiases[UPS_MULTI_DEEP_SET_MAX_LAYERS];
} ups_multi_deep_set_gradients;

UPS_API ups_status ups_multi_deep_set_forward(ups_context* context, const ups_multi_deep_set_set* sets, int32_t count,
                                              ups_tensor* y, const ups_multi_deep_set_options* options) UPS_NOEXCEPT;
/* gradients: as many as sets. */
UPS_API ups_status ups_multi_deep_set_backward(ups_context* context, const ups_multi_deep_set_set* sets, int32_t count,
                                               const ups_tensor* dy, const ups_multi_deep_set_gradients* gradients,
                                               const ups_multi_deep_set_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
