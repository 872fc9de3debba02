/* random: Philox 4x32-10 (Salmon et al., SC11): the same numbers on every device, for any number of
 * threads.
 *
 * Element i of stream s under seed k comes from the counter (i / 4, s) and the key k, word i % 4.
 *   uniform   y = low + (high - low) u      u in [0, 1) with 24 bits
 *   normal    y = mean + deviation n        n by Box and Muller of the word pairs (0,1) and (2,3):
 *                                           the first word makes the radius, the second the angle,
 *                                           by our own log and sincos
 * Each operation is rounded in float32, so that every variant has the same bits; low = -1 and high
 * = 1 give 2 u - 1 exactly, other limits may round to high. float64 outputs hold the float32
 * numbers.
 *
 * The first per_stream elements of y belong to `stream`, as many behind them to stream + 1, and so
 * on modulo 2^64: element i of y is element i % per_stream of stream + i / per_stream. 0: all
 * belong to one stream.
 *
 * low, high - low, mean and deviation must be finite, high - low and deviation not negative. */
#ifndef UPSILON_OPS_RANDOM_H
#define UPSILON_OPS_RANDOM_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_RANDOM_STREAMS_SCHEMA "-> y: real[...]; seed: u64, stream: u64, per_stream: i64 from 0"
#define UPS_RANDOM_UNIFORM_SCHEMA UPS_RANDOM_STREAMS_SCHEMA ", low: f32, high: f32 = 1"
#define UPS_RANDOM_NORMAL_SCHEMA UPS_RANDOM_STREAMS_SCHEMA ", mean: f32, deviation: f32 = 1 from 0"

typedef struct ups_random_uniform_options {
  size_t size UPS_DEFAULT(sizeof(ups_random_uniform_options)); /* of this struct; 0: all defaults */
  uint64_t seed UPS_DEFAULT(0), stream UPS_DEFAULT(0);
  int64_t per_stream UPS_DEFAULT(0);
  float low UPS_DEFAULT(0), high UPS_DEFAULT(1);
} ups_random_uniform_options;

typedef struct ups_random_normal_options {
  size_t size UPS_DEFAULT(sizeof(ups_random_normal_options)); /* of this struct; 0: all defaults */
  uint64_t seed UPS_DEFAULT(0), stream UPS_DEFAULT(0);
  int64_t per_stream UPS_DEFAULT(0);
  float mean UPS_DEFAULT(0), deviation UPS_DEFAULT(1);
} ups_random_normal_options;

UPS_API ups_status ups_random_uniform(ups_context* context, ups_tensor* y,
                                      const ups_random_uniform_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_random_normal(ups_context* context, ups_tensor* y,
                                     const ups_random_normal_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
