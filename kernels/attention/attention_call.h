// A checked call of attention, as plain numbers and pointers.
#pragma once
#include "attention/attention.h"
#include "core/named_call.h"
#include "lib/attention/attention.h"

namespace upsilon {

inline constexpr OperationLine attention_forward_line{"attention_forward", UPS_ATTENTION_FORWARD_SCHEMA};
using AttentionForwardCall = CallOf<attention_forward_line, ups_attention_options>;
inline constexpr OperationLine attention_backward_line{"attention_backward", UPS_ATTENTION_BACKWARD_SCHEMA};
using AttentionBackwardCall = CallOf<attention_backward_line, ups_attention_options>;

template <class Named, class T>
void put_attention(const Named& call, Attention<T>& to) {
  const auto& options = call.options();
  to.queries = call.dim("N");
  to.heads = call.dim("H");
  to.width = call.dim("D");
  to.keys = call.dim("M");
  to.value_width = call.dim("V");
  to.sets = call.dim("B");
  to.q = call["q"];
  to.k = call["k"];
  to.v = call["v"];
  to.offsets = call["offsets"];
  to.key_offsets = call["key_offsets"];
  to.bias = call["bias"];
  to.scale = attention_scale<T>(options.scale, to.width);
  to.causal = options.causal != 0;
  to.keep = {options.dropout, options.seed, options.stream};
}

template <class T>
struct AttentionForwardOf : AttentionForward<T> {
  explicit AttentionForwardOf(const AttentionForwardCall& call) {
    put_attention(call, *this);
    this->y = call["y"];
    this->softmax = call["softmax"];
  }
};

template <class T>
struct AttentionBackwardOf : AttentionBackward<T> {
  explicit AttentionBackwardOf(const AttentionBackwardCall& call) {
    put_attention(call, *this);
    this->y = call["y"];
    this->softmax = call["softmax"];
    this->dy = call["dy"];
    this->dq = call["dq"];
    this->dk = call["dk"];
    this->dv = call["dv"];
    this->dbias = call["dbias"];
  }
};

}  // namespace upsilon
