// A checked call of graph_attention_conv, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "graph_attention_conv/graph_attention_conv.h"

namespace upsilon {

inline constexpr OperationLine graph_attention_conv_forward_line{"graph_attention_conv_forward",
                                                                 UPS_GRAPH_ATTENTION_CONV_FORWARD_SCHEMA};
using GraphAttentionConvForwardCall = CallOf<graph_attention_conv_forward_line, ups_graph_attention_conv_options>;
inline constexpr OperationLine graph_attention_conv_backward_line{"graph_attention_conv_backward",
                                                                  UPS_GRAPH_ATTENTION_CONV_BACKWARD_SCHEMA};
using GraphAttentionConvBackwardCall = CallOf<graph_attention_conv_backward_line, ups_graph_attention_conv_options>;

// What both directions have.
template <class T>
struct GraphAttention {
  int64_t nodes, edges, inputs, heads, features;
  const int32_t *row_offsets, *sources;
  const T *x, *weight, *attention_source, *attention_target, *bias;
  ups_graph_attention_conv_options options;

  template <NamedCall Named>
  explicit GraphAttention(const Named& call)
      : nodes(call.dim("N")), edges(call.dim("E")), inputs(call.dim("Fin")), heads(call.dim("H")),
        features(call.dim("F")), row_offsets(call["row_offsets"]), sources(call["sources"]), x(call["x"]),
        weight(call["weight"]), attention_source(call["attention_source"]), attention_target(call["attention_target"]),
        bias(call["bias"]), options(call.options()) {}

  int64_t width() const { return heads * features; }
  int64_t outputs() const { return options.concat ? width() : features; }
  // Where a head's features begin in a row of y, and what part of y is its own.
  int64_t output_step() const { return options.concat ? features : 0; }
  T share() const { return options.concat || heads == 0 ? T(1) : T(1) / T(heads); }
};

template <class T>
struct GraphAttentionForward : GraphAttention<T> {
  T* y;
  explicit GraphAttentionForward(const GraphAttentionConvForwardCall& call) : GraphAttention<T>(call), y(call["y"]) {}
};

template <class T>
struct GraphAttentionBackward : GraphAttention<T> {
  const int32_t *transposed_offsets, *targets;
  const T *y, *dy;
  T *dx, *dweight, *dattention_source, *dattention_target, *dbias;

  explicit GraphAttentionBackward(const GraphAttentionConvBackwardCall& call)
      : GraphAttention<T>(call), transposed_offsets(call["transposed_offsets"]), targets(call["targets"]), y(call["y"]),
        dy(call["dy"]), dx(call["dx"]), dweight(call["dweight"]), dattention_source(call["dattention_source"]),
        dattention_target(call["dattention_target"]), dbias(call["dbias"]) {}
};

}  // namespace upsilon
