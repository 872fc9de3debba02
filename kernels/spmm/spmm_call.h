// A checked call of spmm, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "spmm/spmm.h"

namespace upsilon {

template <class T>
struct SpmmForward {
  int64_t rows, edges, nodes, columns;
  const int32_t *row_offsets, *sources;
  const T *edge_weights, *x;
  T* y;

  explicit SpmmForward(const Call& call)
      : rows(call.dims[0]), edges(call.dims[1]), nodes(call.dims[2]), columns(call.dims[3]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)),
        edge_weights(call.data<const T>(2)), x(call.data<const T>(3)), y(call.data<T>(4)) {}
};

template <class T>
struct SpmmBackward {
  int64_t nodes, edge_count, rows, columns;
  const int32_t *transposed_offsets, *targets, *edges;
  const T *edge_weights, *dy;
  T* dx;

  explicit SpmmBackward(const Call& call)
      : nodes(call.dims[0]), edge_count(call.dims[1]), rows(call.dims[2]), columns(call.dims[3]),
        transposed_offsets(call.data<const int32_t>(0)), targets(call.data<const int32_t>(1)),
        edges(call.data<const int32_t>(2)), edge_weights(call.data<const T>(3)), dy(call.data<const T>(4)),
        dx(call.data<T>(5)) {}
};

}  // namespace upsilon
