// A checked call of attention, as plain numbers and pointers.
#pragma once
#include "attention/attention.h"
#include "core/operation.h"
#include "lib/attention/attention.h"

namespace upsilon {

template <class T>
void put_attention(const Call& call, Attention<T>& to) {
  const auto& options = call.option<ups_attention_options>();
  to.queries = call.dims[0];
  to.heads = call.dims[1];
  to.width = call.dims[2];
  to.keys = call.dims[3];
  to.value_width = call.dims[4];
  to.sets = call.dims[5];
  to.q = call.data<const T>(0);
  to.k = call.data<const T>(1);
  to.v = call.data<const T>(2);
  to.offsets = call.data<const int32_t>(3);
  to.key_offsets = call.data<const int32_t>(4);
  to.bias = call.data<const T>(5);
  to.scale = attention_scale<T>(options.scale, to.width);
  to.causal = options.causal != 0;
  to.keep = {options.dropout, options.seed, options.stream};
}

template <class T>
AttentionForward<T> attention_forward(const Call& call) {
  AttentionForward<T> f;
  put_attention(call, f);
  f.y = call.data<T>(6);
  f.softmax = call.data<T>(7);
  return f;
}

template <class T>
AttentionBackward<T> attention_backward(const Call& call) {
  AttentionBackward<T> f;
  put_attention(call, f);
  f.y = call.data<const T>(6);
  f.softmax = call.data<const T>(7);
  f.dy = call.data<const T>(8);
  f.dq = call.data<T>(9);
  f.dk = call.data<T>(10);
  f.dv = call.data<T>(11);
  f.dbias = call.data<T>(12);
  return f;
}

inline bool attention_supports(const Call& call) {
  const float dropout = call.option<ups_attention_options>().dropout;
  return dropout >= 0 && dropout < 1;
}

}  // namespace upsilon
