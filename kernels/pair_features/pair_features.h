/* pair_features: what the Particle Transformer (arXiv:2202.03772) tells its attention of every pair
 * of particles.
 *
 * momenta[i] = (px, py, pz, E) {GeV}. For the particles a and b of an event
 *   ln kT = ln(min(pT_a, pT_b) D)   ln z = ln(min(pT_a, pT_b) / (pT_a + pT_b))
 *   ln D                            ln m^2 = ln((p_a + p_b)^2)
 * with D^2 = (y_a - y_b)^2 + (phi_a - phi_b)^2, the difference of the azimuths brought into -pi to
 * pi, and the rapidity y = 1/2 ln((E + pz) / (E - pz)). What stands behind a ln, and the sum of the
 * two pT, is at least eps, as in weaver's ParticleTransformer; E + pz and E - pz are at least 1e-20
 * GeV. So every feature is finite, a particle with itself and collinear ones too. A pair and its
 * mirror image have the same features.
 * features: per event [n, n, 4], one event after the other. Differences and squares are float64
 * inside: rapidities of collinear particles and masses of light ones cancel.
 * Backward gives the gradient with respect to the momenta. It is finite, too: 0 through whatever
 * was raised to its lower limit, half for each of two equal pT (as torch.minimum), 0 through the
 * azimuth where pT is 0. Particles outside every event get 0. The same bits for any number of
 * threads and any batching. */
#ifndef UPSILON_OPS_PAIR_FEATURES_H
#define UPSILON_OPS_PAIR_FEATURES_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

/* C is 4. */
#define UPS_PAIR_FEATURES_FORWARD_SCHEMA                                                                             \
  "momenta: real[N, C] finite, offsets: i32[B+1] splits N -> features: real[P] pairs C offsets offsets; eps: f32 = " \
  "1e-8 above 0"
#define UPS_PAIR_FEATURES_BACKWARD_SCHEMA                                                                            \
  "momenta: real[N, C] finite, offsets: i32[B+1] splits N, dfeatures: real[P] pairs C offsets offsets -> dmomenta: " \
  "real[N, C]; eps: f32 = 1e-8 above 0"

typedef struct ups_pair_features_options {
  size_t size UPS_DEFAULT(sizeof(ups_pair_features_options)); /* of this struct; 0: all defaults */
  float eps UPS_DEFAULT(1e-8f); /* more than 0 */
} ups_pair_features_options;

UPS_API ups_status ups_pair_features_forward(ups_context* context, const ups_tensor* momenta, const ups_tensor* offsets,
                                             ups_tensor* features,
                                             const ups_pair_features_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_pair_features_backward(ups_context* context, const ups_tensor* momenta,
                                              const ups_tensor* offsets, const ups_tensor* dfeatures,
                                              ups_tensor* dmomenta,
                                              const ups_pair_features_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
