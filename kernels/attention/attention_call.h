// A checked call of attention, as plain numbers and pointers.
#pragma once
#include "attention/attention.h"
#include "common/keep.h"
#include "core/operation.h"

namespace upsilon {

// What both directions have.
template <class T>
struct Attention {
  int64_t queries = 0, heads = 0, width = 0, keys = 0, value_width = 0, sets = 0;
  const T *q = nullptr, *k = nullptr, *v = nullptr;
  const int32_t *offsets = nullptr, *key_offsets = nullptr;
  const T* bias = nullptr;
  T scale = 1;
  bool causal = false;
  Keep<T> keep{0, 0, 0};

  Attention() = default;
  explicit Attention(const Call& call)
      : queries(call.dims[0]), heads(call.dims[1]), width(call.dims[2]), keys(call.dims[3]), value_width(call.dims[4]),
        sets(call.dims[5]), q(call.data<const T>(0)), k(call.data<const T>(1)), v(call.data<const T>(2)),
        offsets(call.data<const int32_t>(3)), key_offsets(call.data<const int32_t>(4)), bias(call.data<const T>(5)),
        scale(static_cast<T>(call.option<ups_attention_options>().scale)),
        causal(call.option<ups_attention_options>().causal != 0), keep(keep_of(call)) {}
  static Keep<T> keep_of(const Call& call) {
    const auto options = call.option<ups_attention_options>();
    return {options.dropout, options.seed, options.stream};
  }
};

inline bool attention_supports(const Call& call) {
  const float dropout = call.option<ups_attention_options>().dropout;
  return dropout >= 0 && dropout < 1;
}

template <class T>
struct AttentionForward : Attention<T> {
  T *y = nullptr, *softmax = nullptr;

  AttentionForward() = default;
  explicit AttentionForward(const Call& call) : Attention<T>(call), y(call.data<T>(6)), softmax(call.data<T>(7)) {}
  // Whether the place of a pair among all pairs matters.
  bool needs_pairs() const { return this->bias || this->keep.drops(); }
};

template <class T>
struct AttentionBackward : Attention<T> {
  const T *y = nullptr, *softmax = nullptr, *dy = nullptr;
  T *dq = nullptr, *dk = nullptr, *dv = nullptr, *dbias = nullptr;

  AttentionBackward() = default;
  explicit AttentionBackward(const Call& call)
      : Attention<T>(call), y(call.data<const T>(6)), softmax(call.data<const T>(7)), dy(call.data<const T>(8)),
        dq(call.data<T>(9)), dk(call.data<T>(10)), dv(call.data<T>(11)), dbias(call.data<T>(12)) {}
  bool needs_pairs() const { return this->bias || dbias || this->keep.drops(); }
};

}  // namespace upsilon
