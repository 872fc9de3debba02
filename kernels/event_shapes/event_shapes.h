/* event_shapes: the thirty variables that separate B decays from continuum, and thrust, for ragged
 * particles.
 *
 * Conventions are those of basf2 (analysis/ContinuumSuppression and
 * ContinuumSuppressionVariables.cc): momenta in the centre-of-mass frame of the collision, z along
 * the beam as there, GeV. docs/event-shapes.md has every formula.
 *
 * p4[i] = (px, py, pz, E). role[i] says which particles these are, in two bits:
 *   0 rest of the event    1 final-state particle of the B    2 daughter of the B    3 both
 * (further bits are ignored),
 * so a B -> D pi has the D as 2, the D's products as 1 and the pi as 3. energy[b] is E*_B of the
 * candidate.
 *
 * y[v, b], v in this order:
 *   0 R2   1 thrustBm   2 thrustOm   3 cosTBTO   4 cosTBz   5 et   6 mm2   7..9 hso00 hso02 hso04
 *   10..12 hso10 hso12 hso14   13..15 hso20 hso22 hso24   16..20 hoo0 .. hoo4
 *   21..29 CleoConeCS(1) .. (9)
 * `signal`: what et, mm2 and the KSFW moments take as the signal side, the B's daughters (basf2's
 * default, FS0) or its final-state particles (FS1). `cones`: all final-state particles (basf2's
 * default) or the rest of the event alone.
 *
 * thrust: y[b] = T n, the vector whose length is the thrust and whose direction is the thrust axis.
 * From every momentum as a first axis, the signed sum of all momenta becomes the next one until no
 * sign changes; the largest wins, of equal ones the earliest. (A local search: except in rare
 * events it finds the maximum over all choices of signs.)
 *
 * Undefined values are 0: the thrust and R2 of no particles, and angles to such a thrust. A
 * particle without momentum has no direction and adds to et and mm2 only. Sums are float64
 * throughout; the same bits for any number of threads and any batching. There are no gradients. */
#ifndef UPSILON_OPS_EVENT_SHAPES_H
#define UPSILON_OPS_EVENT_SHAPES_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_EVENT_SHAPES_SCHEMA                                                                                     \
  "p4: real[N, 4] finite, charge: real[N] finite, role: u8[N], offsets: i32[B+1] splits N, energy: real[B] finite " \
  "-> y: real[30, B]; signal: daughters|finalState, cones: all|rest, cms_energy: f64 = 10.5794"
#define UPS_THRUST_SCHEMA "p: real[N, 3] finite, offsets: i32[B+1] splits N -> y: real[B, 3]"

typedef enum ups_signal_side { UPS_SIGNAL_DAUGHTERS, UPS_SIGNAL_FINAL_STATE } ups_signal_side;
typedef enum ups_cone_particles { UPS_CONES_ALL, UPS_CONES_REST } ups_cone_particles;

typedef struct ups_event_shapes_options {
  size_t size UPS_DEFAULT(sizeof(ups_event_shapes_options)); /* of this struct; 0: all defaults */
  int32_t signal UPS_DEFAULT(0); /* ups_signal_side */
  int32_t cones UPS_DEFAULT(0); /* ups_cone_particles */
  double cms_energy UPS_DEFAULT(10.5794); /* sqrt(s) {GeV}; default: the mass of the Upsilon(4S) */
} ups_event_shapes_options;

UPS_API ups_status ups_event_shapes(ups_context* context, const ups_tensor* p4, const ups_tensor* charge,
                                    const ups_tensor* role, const ups_tensor* offsets, const ups_tensor* energy,
                                    ups_tensor* y, const ups_event_shapes_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_thrust(ups_context* context, const ups_tensor* p, const ups_tensor* offsets,
                              ups_tensor* y) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
