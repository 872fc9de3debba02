// Checked calls of spmm, as plain numbers and pointers. Forward and backward are the same sum over
// a CSR matrix: backward runs over the transposed one and finds an edge's weight through
// `edge_ids`. There x is dy and y is dx; the forward x is `row_values`, and the products of both
// over the edges are the gradient of the weights.
#pragma once
#include "core/named_call.h"
#include "spmm/spmm.h"

namespace upsilon {

inline constexpr OperationLine spmm_forward_line{"spmm_forward", UPS_SPMM_FORWARD_SCHEMA};
using SpmmForwardCall = CallOf<spmm_forward_line>;
inline constexpr OperationLine spmm_backward_line{"spmm_backward", UPS_SPMM_BACKWARD_SCHEMA};
using SpmmBackwardCall = CallOf<spmm_backward_line>;

template <class T>
struct Spmm {
  int64_t rows, features, edges;
  const int32_t *row_offsets, *sources, *edge_ids = nullptr;  // edge_ids null: edges are in their own order
  const T *edge_weights, *x;
  T* y;
  const T* row_values = nullptr;
  T* dedge_weights = nullptr;
};

template <class T>
struct SpmmForward : Spmm<T> {
  explicit SpmmForward(const SpmmForwardCall& call) {
    this->rows = call.dim("R");
    this->features = call.dim("F");
    this->edges = call.dim("E");
    this->row_offsets = call["row_offsets"];
    this->sources = call["sources"];
    this->edge_weights = call["edge_weights"];
    this->x = call["x"];
    this->y = call["y"];
  }
};

template <class T>
struct SpmmBackward : Spmm<T> {
  explicit SpmmBackward(const SpmmBackwardCall& call) {
    this->rows = call.dim("N");
    this->features = call.dim("F");
    this->edges = call.dim("E");
    this->row_offsets = call["transposed_offsets"];
    this->sources = call["targets"];
    this->edge_ids = call["edges"];
    this->edge_weights = call["edge_weights"];
    this->x = call["dy"];
    this->y = call["dx"];
    this->row_values = call["x"];
    this->dedge_weights = call["dedge_weights"];
  }
};

}  // namespace upsilon
