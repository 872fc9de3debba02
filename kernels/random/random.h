/* random: Philox 4x32-10 (Salmon et al., SC11): the same numbers on every device, for any number of threads.
 *
 * Element i of stream s under seed k comes from the counter (i / 4, s) and the key k, word i % 4.
 * uniform: [0, 1) with 24 bits; normal: Box-Muller of word pairs (0,1) and (2,3), the first word making the radius and
 * the second the angle, by our own log and sincos, so that every variant has the same bits. float64 outputs hold the
 * float32 numbers. */
#ifndef UPSILON_OPS_RANDOM_H
#define UPSILON_OPS_RANDOM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_RANDOM_UNIFORM_SCHEMA "-> y: real[...]; seed: u64, stream: u64"
#define UPS_RANDOM_NORMAL_SCHEMA "-> y: real[...]; seed: u64, stream: u64"

typedef struct ups_random_options {
  uint64_t seed, stream;
} ups_random_options;

UPS_API ups_status ups_random_uniform(ups_context* context, const ups_tensor* y, const ups_random_options* options);
UPS_API ups_status ups_random_normal(ups_context* context, const ups_tensor* y, const ups_random_options* options);

#ifdef __cplusplus
}
#endif
#endif
