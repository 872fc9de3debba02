/* shower_observables: what a shower in the cells of a calorimeter is known by.
 *
 * showers[b, z, y, x] is the energy in cell (z, y, x), in any unit, normally MIP. z is the depth:
 * layer 0 is where particles enter, and the axis of a shower is parallel to it. Positions are
 * counted in cells, the middle of cell i at i. Cells below `threshold` count as empty everywhere;
 * one whose energy is NaN does not.
 *   energy[b]           sum of the cells
 *   hits[b]             number of cells at or above the threshold
 *   longitudinal[b, z]  energy of layer z
 *   centre[b]           (z, y, x), the mean position weighted by energy; the middle, (n - 1) / 2
 *                       each, where the energy is 0
 *   radial[b, r]        energy of the cells, in all layers, with r <= distance / ring_width < r + 1
 *                       from `axis` (y, x), or from the shower's own centre; what is
 *                       farther away than R rings is in none
 *   spectrum[b, s]      number of cells with edge_s <= energy < edge_s+1, where
 *                       edge_s = lowest (highest / lowest)^(s / S), 0 < lowest < highest, and S is
 *                       at most 256
 *
 * Sums are float64. The same bits for any number of threads and any batching. On every device hits
 * and spectrum are the same, and so are energy, the transverse centre and, with it, the ring a cell
 * is in. There are no gradients: losses on energy and profiles are sums over cells. */
#ifndef UPSILON_OPS_SHOWER_OBSERVABLES_H
#define UPSILON_OPS_SHOWER_OBSERVABLES_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_SHOWER_OBSERVABLES_SCHEMA                                                                     \
  "showers: real[B, Z, Y, X], axis?: real[B, 2] finite -> energy?: real[B], hits?: i32[B], "              \
  "longitudinal?: real[B, Z], centre?: real[B, 3], radial?: real[B, R], spectrum?: i32[B, S]; threshold:" \
  " f64 = 0.1, ring_width: f64 = 1 above 0, lowest: f64 = 0.1 above 0, highest: f64 = 1000 above 0"

typedef struct ups_shower_observables_options {
  size_t size UPS_DEFAULT(sizeof(ups_shower_observables_options)); /* of this struct; 0: all defaults */
  double threshold UPS_DEFAULT(0.1); /* the least energy of a hit */
  double ring_width UPS_DEFAULT(1); /* of the radial profile, in cells */
  double lowest UPS_DEFAULT(0.1), highest UPS_DEFAULT(1000); /* edges of the spectrum */
} ups_shower_observables_options;

UPS_API ups_status ups_shower_observables(ups_context* context, const ups_tensor* showers, const ups_tensor* axis,
                                          ups_tensor* energy, ups_tensor* hits, ups_tensor* longitudinal,
                                          ups_tensor* centre, ups_tensor* radial, ups_tensor* spectrum,
                                          const ups_shower_observables_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
