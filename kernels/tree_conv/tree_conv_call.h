// A checked call of tree_conv, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "tree_conv/tree_conv.h"

namespace upsilon {

template <class T>
struct TreeConvForward {
  int64_t events, nodes, inputs, outputs;
  const int32_t *offsets, *mother;
  const T *x, *self, *parent, *daughters, *bias;
  T* y;
  int32_t normalization, activation;

  explicit TreeConvForward(const Call& call)
      : events(call.dims[0]), nodes(call.dims[1]), inputs(call.dims[2]), outputs(call.dims[3]),
        offsets(call.data<const int32_t>(0)), mother(call.data<const int32_t>(1)), x(call.data<const T>(2)),
        self(call.data<const T>(3)), parent(call.data<const T>(4)), daughters(call.data<const T>(5)),
        bias(call.data<const T>(6)), y(call.data<T>(7)),
        normalization(call.option<ups_tree_conv_options>().normalization),
        activation(call.option<ups_tree_conv_options>().activation) {}
};

template <class T>
struct TreeConvBackward {
  int64_t events, nodes, inputs, outputs;
  const int32_t *offsets, *mother;
  const T *x, *self, *parent, *daughters, *bias, *y, *dy;
  T *dx, *dself, *dparent, *ddaughters, *dbias;
  int32_t normalization, activation;

  explicit TreeConvBackward(const Call& call)
      : events(call.dims[0]), nodes(call.dims[1]), inputs(call.dims[2]), outputs(call.dims[3]),
        offsets(call.data<const int32_t>(0)), mother(call.data<const int32_t>(1)), x(call.data<const T>(2)),
        self(call.data<const T>(3)), parent(call.data<const T>(4)), daughters(call.data<const T>(5)),
        bias(call.data<const T>(6)), y(call.data<const T>(7)), dy(call.data<const T>(8)), dx(call.data<T>(9)),
        dself(call.data<T>(10)), dparent(call.data<T>(11)), ddaughters(call.data<T>(12)), dbias(call.data<T>(13)),
        normalization(call.option<ups_tree_conv_options>().normalization),
        activation(call.option<ups_tree_conv_options>().activation) {}
};

}  // namespace upsilon
