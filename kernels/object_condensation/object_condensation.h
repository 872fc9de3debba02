/* object_condensation: the potentials and the beta loss of object condensation (Kieseler,
 * arXiv:2002.03605).
 *
 * Hit i of an event belongs to the object object_ids[i] > 0 or, for ids of 0 and below, is noise;
 * ids count inside their event and need not be consecutive. Of an object k, alpha_k is its hit of
 * highest beta (of equal ones the first), n_k its size; an event has n hits, n_noise of them noise,
 * and K objects. With d = |x_j - x_alpha_k| and charges q,
 *   attractive  sum_k a_k sum_{j in k} q_j q_alpha_k A(d)
 *   repulsive   sum_k r_k sum_{j not in k} q_j q_alpha_k R(d)
 *   beta        1/K sum_k (1 - beta_alpha_k)
 *   noise       1/n_noise sum_{noise j} beta_j
 * and y has the means of these four over all events; an empty sum is 0. Three codes that are in use
 * differ:
 *
 *   convention          q - q_min                               A(d)
 *   objectCondensation  atanh^2(|beta| up to 1 - 2^-24)         d^2
 *   catFinder           atanh(beta in [0, 1 - 1e-7])            d^2 + 1e-7
 *   cmsPepr             atanh^2((beta in [0, 1 - 1e-4])/1.002)  h(d + 1e-5)
 *
 *   convention          R(d)                                    a_k        r_k
 *   objectCondensation  max(0, radius - d)                      1/(K n_k)  1/(K (n - n_k))
 *   catFinder           the same of sqrt(d^2 + 1e-7)            1/n        1/n
 *   cmsPepr             exp(-4 d^2)                             1/n        1/n
 * h(t) = t^2 up to 4, 8 (t - 4) above, a jump that is theirs. (object_condensation's losses.py;
 * catfinder's losses.py for one event, whose means run over padded hits otherwise; torch_cmspepr's
 * objectcondensation.py with its defaults.) A beta outside its range counts as the end of the
 * range, with no gradient through the charge. The first code has no range, and there a beta of 1,
 * which a float32 sigmoid gives from 17 on, makes the charge infinite.
 *
 * Weights of the four terms are what dy is for: dy = (1, 1, 1, s_B) gives the gradient of the
 * paper's loss. alpha is not differentiated; the distance has gradient 0 at d = 0. Rows outside
 * every event get 0. Sums over pairs run in a fixed order: the same bits for any number of threads.
 * No matrix of hits by objects is stored. */
#ifndef UPSILON_OPS_OBJECT_CONDENSATION_H
#define UPSILON_OPS_OBJECT_CONDENSATION_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_OBJECT_CONDENSATION_OPTIONS_SCHEMA \
  "; convention: objectCondensation|catFinder|cmsPepr, q_min: f32 = 1, radius: f32 = 1"
#define UPS_OBJECT_CONDENSATION_FORWARD_SCHEMA                                                        \
  "beta: real[N] finite, x: real[N, D] finite, object_ids: i32[N], offsets: i32[B+1] splits N -> y: " \
  "real[4]" UPS_OBJECT_CONDENSATION_OPTIONS_SCHEMA
#define UPS_OBJECT_CONDENSATION_BACKWARD_SCHEMA                                                                 \
  "beta: real[N] finite, x: real[N, D] finite, object_ids: i32[N], offsets: i32[B+1] splits N, dy: real[4] -> " \
  "dbeta?: real[N], dx?: real[N, D]" UPS_OBJECT_CONDENSATION_OPTIONS_SCHEMA

typedef enum ups_condensation_convention {
  UPS_CONDENSATION_OBJECT_CONDENSATION,
  UPS_CONDENSATION_CAT_FINDER,
  UPS_CONDENSATION_CMS_PEPR
} ups_condensation_convention;

typedef struct ups_object_condensation_options {
  size_t size UPS_DEFAULT(sizeof(ups_object_condensation_options)); /* of this struct; 0: all defaults */
  int32_t convention UPS_DEFAULT(0); /* ups_condensation_convention */
  float q_min UPS_DEFAULT(1);
  float radius UPS_DEFAULT(1); /* of the repulsive cone; cmsPepr has none */
} ups_object_condensation_options;

UPS_API ups_status ups_object_condensation_forward(ups_context* context, const ups_tensor* beta, const ups_tensor* x,
                                                   const ups_tensor* object_ids, const ups_tensor* offsets,
                                                   ups_tensor* y,
                                                   const ups_object_condensation_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_object_condensation_backward(ups_context* context, const ups_tensor* beta, const ups_tensor* x,
                                                    const ups_tensor* object_ids, const ups_tensor* offsets,
                                                    const ups_tensor* dy, ups_tensor* dbeta, ups_tensor* dx,
                                                    const ups_object_condensation_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
