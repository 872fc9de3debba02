/* embedding: rows of a table, looked up by index; optionally followed by further features of the
 * same element.
 *
 * y[i, :] = (table[indices[i], :], append[i, :]). An index outside the table is an error.
 * Backward: dtable[v, :] is the sum of dy[i, :E] over i with indices[i] = v, in an order that
 * depends on the shapes only: the same bits for any number of threads. dappend is a copy. */
#ifndef UPSILON_OPS_EMBEDDING_H
#define UPSILON_OPS_EMBEDDING_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_EMBEDDING_FORWARD_SCHEMA \
  "indices: i32[N] below V, table: real[V, E], append?: real[N, F] -> y: real[N, E+F]"
#define UPS_EMBEDDING_BACKWARD_SCHEMA                                                 \
  "indices: i32[N] below V, table: real[V, E], append?: real[N, F], dy: real[N, E+F]" \
  " -> dtable?: real[V, E], dappend?: real[N, F]"

UPS_API ups_status ups_embedding_forward(ups_context* context, const ups_tensor* indices, const ups_tensor* table,
                                         const ups_tensor* append, ups_tensor* y) UPS_NOEXCEPT;
UPS_API ups_status ups_embedding_backward(ups_context* context, const ups_tensor* indices, const ups_tensor* table,
                                          const ups_tensor* append, const ups_tensor* dy, ups_tensor* dtable,
                                          ups_tensor* dappend) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
