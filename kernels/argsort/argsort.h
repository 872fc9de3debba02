/* argsort: the order in which the elements of every set are sorted.
 *
 * N keys in B sets. For the positions i of a set, offsets[s] <= i < offsets[s+1], order[i] is the
 * index (in the whole batch) of the key that stands at i when the keys of the set are sorted, so
 * keys[order] is sorted set by set. Positions in no set keep their own index: the result is a
 * permutation of 0 .. N-1.
 * The sort is stable: equal keys keep their order, also with `descending`; -0 equals 0. Infinities
 * are sorted, NaN is refused. A radix sort: O(N), and the same for any number of threads.
 *
 * argsort takes real keys, argsort_integers i32 ones. */
#ifndef UPSILON_OPS_ARGSORT_H
#define UPSILON_OPS_ARGSORT_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_ARGSORT_SCHEMA \
  "keys: real[N] numbers, offsets: i32[B+1] splits N -> order: i32[N]; descending: bool = false"
#define UPS_ARGSORT_INTEGERS_SCHEMA \
  "keys: i32[N], offsets: i32[B+1] splits N -> order: i32[N]; descending: bool = false"

typedef struct ups_argsort_options {
  size_t size UPS_DEFAULT(sizeof(ups_argsort_options)); /* of this struct; 0: all defaults */
  int32_t descending UPS_DEFAULT(0); /* 0 or 1 */
} ups_argsort_options;

UPS_API ups_status ups_argsort(ups_context* context, const ups_tensor* keys, const ups_tensor* offsets,
                               ups_tensor* order, const ups_argsort_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_argsort_integers(ups_context* context, const ups_tensor* keys, const ups_tensor* offsets,
                                        ups_tensor* order, const ups_argsort_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
