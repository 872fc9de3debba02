// A checked call of tree_conv, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "tree_conv/tree_conv.h"

namespace upsilon {

inline constexpr OperationLine tree_conv_forward_line{"tree_conv_forward", UPS_TREE_CONV_FORWARD_SCHEMA};
using TreeConvForwardCall = CallOf<tree_conv_forward_line, ups_tree_conv_options>;
inline constexpr OperationLine tree_conv_backward_line{"tree_conv_backward", UPS_TREE_CONV_BACKWARD_SCHEMA};
using TreeConvBackwardCall = CallOf<tree_conv_backward_line, ups_tree_conv_options>;

template <class T>
struct TreeConvForward {
  int64_t events, nodes, inputs, outputs;
  const int32_t *offsets, *mother;
  const T *x, *self, *parent, *daughters, *bias;
  T* y;
  ups_tree_conv_options options;

  explicit TreeConvForward(const TreeConvForwardCall& call)
      : events(call.dim("B")), nodes(call.dim("N")), inputs(call.dim("Fin")), outputs(call.dim("Fout")),
        offsets(call["offsets"]), mother(call["mother"]), x(call["x"]), self(call["self"]), parent(call["parent"]),
        daughters(call["daughters"]), bias(call["bias"]), y(call["y"]), options(call.options()) {}
};

template <class T>
struct TreeConvBackward {
  int64_t events, nodes, inputs, outputs;
  const int32_t *offsets, *mother;
  const T *x, *self, *parent, *daughters, *bias, *y, *dy;
  T *dx, *dself, *dparent, *ddaughters, *dbias;
  ups_tree_conv_options options;

  explicit TreeConvBackward(const TreeConvBackwardCall& call)
      : events(call.dim("B")), nodes(call.dim("N")), inputs(call.dim("Fin")), outputs(call.dim("Fout")),
        offsets(call["offsets"]), mother(call["mother"]), x(call["x"]), self(call["self"]), parent(call["parent"]),
        daughters(call["daughters"]), bias(call["bias"]), y(call["y"]), dy(call["dy"]), dx(call["dx"]),
        dself(call["dself"]), dparent(call["dparent"]), ddaughters(call["ddaughters"]), dbias(call["dbias"]),
        options(call.options()) {}
};

}  // namespace upsilon
