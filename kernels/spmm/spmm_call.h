// Checked calls of spmm, as plain numbers and pointers. Forward and backward are the same sum over a CSR matrix:
// backward runs over the transposed one and finds an edge's weight through `edge_ids`. There x is dy and y is dx; the
// forward x is `row_values`, and the products of both over the edges are the gradient of the weights.
#pragma once
#include "core/operation.h"
#include "spmm/spmm.h"

namespace upsilon {

template <class T>
struct Spmm {
  int64_t rows, features, edges;
  const int32_t *row_offsets, *sources, *edge_ids;  // edge_ids null: edges are in their own order
  const T *edge_weights, *x;
  T* y;
  const T* row_values = nullptr;
  T* dedge_weights = nullptr;

  static Spmm forward(const Call& call) {
    return {call.dims[0],
            call.dims[3],
            call.dims[1],
            call.data<const int32_t>(0),
            call.data<const int32_t>(1),
            nullptr,
            call.data<const T>(2),
            call.data<const T>(3),
            call.data<T>(4)};
  }
  static Spmm backward(const Call& call) {
    return {call.dims[0],
            call.dims[3],
            call.dims[1],
            call.data<const int32_t>(0),
            call.data<const int32_t>(1),
            call.data<const int32_t>(2),
            call.data<const T>(3),
            call.data<const T>(5),
            call.data<T>(6),
            call.data<const T>(4),
            call.data<T>(7)};
  }
};

}  // namespace upsilon
