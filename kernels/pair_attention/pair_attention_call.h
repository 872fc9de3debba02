// A checked call of pair_attention, as plain numbers and pointers.
#pragma once
#include "lib/attention/attention.h"
#include "lib/kernel.h"
#include "lib/dense/layers.h"
#include "lib/math/pair_kinematics.h"
#include "pair_attention/pair_attention.h"

namespace upsilon {

static_assert(UPS_PAIR_ATTENTION_MAX_LAYERS == max_layers);

// Some particles of an event as queries, some as keys: from the first to behind the last.
struct QueriesAndKeys {
  int32_t queries[2], keys[2];
};

// What forward and backward have in common.
template <class T>
struct PairAttention : Layers<T> {
  int64_t particles, events, heads, width, value_width;
  const T *momenta, *q, *k, *v;
  const int32_t* offsets;
  T scale;
  double eps;

  explicit PairAttention(const Call& call)
      : Layers<T>(call, pair_feature_count, 2, 2, call.option<ups_pair_attention_options>().activation),
        particles(call.dims[0]), events(call.dims[1]), heads(this->last_width()), width(call.dims[6]),
        value_width(call.dims[7]), momenta(call.data<const T>(0)), q(call.data<const T>(10)), k(call.data<const T>(11)),
        v(call.data<const T>(12)), offsets(call.data<const int32_t>(1)),
        scale(attention_scale<T>(call.option<ups_pair_attention_options>().scale, width)),
        eps(static_cast<double>(call.option<ups_pair_attention_options>().eps)) {}

  UPS_HD int64_t size(int64_t event) const { return offsets[event + 1] - offsets[event]; }

 protected:
  // The attention of these queries to these keys, as one set; of_pairs: the bias [H, queries, keys]. `at` must outlive what is made of it.
  void put_inputs(const QueriesAndKeys& at, const T* of_pairs, Attention<T>& to) const {
    to.queries = to.keys = particles;
    to.heads = heads;
    to.width = width;
    to.value_width = value_width;
    to.sets = 1;
    to.q = q;
    to.k = k;
    to.v = v;
    to.offsets = at.queries;
    to.key_offsets = at.keys;
    to.bias = of_pairs;
    to.scale = scale;
  }
};

template <class T>
struct PairAttentionForward : PairAttention<T> {
  T *y, *softmax;

  explicit PairAttentionForward(const Call& call)
      : PairAttention<T>(call), y(call.data<T>(13)), softmax(call.data<T>(14)) {}

  AttentionForward<T> attention(const QueriesAndKeys& at, const T* of_pairs) const {
    AttentionForward<T> result;
    this->put_inputs(at, of_pairs, result);
    result.y = y;
    result.softmax = softmax;
    return result;
  }
};

template <class T>
struct PairAttentionBackward : PairAttention<T>, LayerGradients<T> {
  const T *y, *softmax, *dy;
  T *dmomenta, *dq, *dk, *dv;

  explicit PairAttentionBackward(const Call& call)
      : PairAttention<T>(call), LayerGradients<T>(call, 17), y(call.data<const T>(13)), softmax(call.data<const T>(14)),
        dy(call.data<const T>(15)), dmomenta(call.data<T>(16)), dq(call.data<T>(25)), dk(call.data<T>(26)),
        dv(call.data<T>(27)) {}

  // Whether anything is wanted that the bias has a part in.
  bool wants_bias() const {
    bool wanted = dmomenta != nullptr;
    for (int32_t l = 0; l < this->layers; ++l) wanted |= this->dweight[l] != nullptr || this->dbias[l] != nullptr;
    return wanted;
  }

  // d_of_pairs: where the gradients of the bias go, or null.
  AttentionBackward<T> attention(const QueriesAndKeys& at, const T* of_pairs, T* d_of_pairs) const {
    AttentionBackward<T> result;
    this->put_inputs(at, of_pairs, result);
    result.y = y;
    result.softmax = softmax;
    result.dy = dy;
    result.dq = dq;
    result.dk = dk;
    result.dv = dv;
    result.dbias = d_of_pairs;
    return result;
  }
};

inline bool pair_attention_supports(const Call& call) {
  return layers_are_whole(call, 2) && call.option<ups_pair_attention_options>().eps > 0;
}
inline bool pair_attention_backward_supports(const Call& call) {
  return pair_attention_supports(call) && gradients_have_layers(call, 2, 17);
}

}  // namespace upsilon
