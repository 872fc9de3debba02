// A checked call of graph_attention_conv, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "graph_attention_conv/graph_attention_conv.h"

namespace upsilon {

// What both directions have.
template <class T>
struct GraphAttention {
  int64_t nodes, edges, inputs, heads, features;
  const int32_t *row_offsets, *sources;
  const T *x, *weight, *attention_source, *attention_target, *bias;
  ups_graph_attention_conv_options options;

  // `x_at`: where x stands among the arguments.
  GraphAttention(const Call& call, int x_at)
      : nodes(call.dims[0]), edges(call.dims[1]), inputs(call.dims[2]), heads(call.dims[3]), features(call.dims[4]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)), x(call.data<const T>(x_at)),
        weight(call.data<const T>(x_at + 1)), attention_source(call.data<const T>(x_at + 2)),
        attention_target(call.data<const T>(x_at + 3)), bias(call.data<const T>(x_at + 4)),
        options(call.option<ups_graph_attention_conv_options>()) {}

  int64_t width() const { return heads * features; }
  int64_t outputs() const { return options.concat ? width() : features; }
  // Where a head's features begin in a row of y, and what part of y is its own.
  int64_t output_step() const { return options.concat ? features : 0; }
  T share() const { return options.concat || heads == 0 ? T(1) : T(1) / T(heads); }
};

template <class T>
struct GraphAttentionForward : GraphAttention<T> {
  T* y;
  explicit GraphAttentionForward(const Call& call) : GraphAttention<T>(call, 2), y(call.data<T>(7)) {}
};

template <class T>
struct GraphAttentionBackward : GraphAttention<T> {
  const int32_t *transposed_offsets, *targets;
  const T *y, *dy;
  T *dx, *dweight, *dattention_source, *dattention_target, *dbias;

  explicit GraphAttentionBackward(const Call& call)
      : GraphAttention<T>(call, 4), transposed_offsets(call.data<const int32_t>(2)),
        targets(call.data<const int32_t>(3)), y(call.data<const T>(9)), dy(call.data<const T>(10)),
        dx(call.data<T>(11)), dweight(call.data<T>(12)), dattention_source(call.data<T>(13)),
        dattention_target(call.data<T>(14)), dbias(call.data<T>(15)) {}
};

}  // namespace upsilon
