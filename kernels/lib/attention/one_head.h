// One set and head of a call, and the definition of attention on it in plain loops: the reference,
// and the fallback of fast variants where numbers are not finite, as these must not pass through
// masked pairs.
#pragma once
#include <cmath>
#include <limits>

#include "lib/attention/attention.h"
#include "lib/kernel.h"

namespace upsilon {

// pairs[b] = the pairs of the sets before b: times H it is the number where a set's bias and its
// random numbers of dropout begin. One entry more than there are sets.
template <class T>
void count_pairs(const Attention<T>& f, int64_t* pairs) {
  pairs[0] = 0;
  for (int64_t b = 0; b < f.sets; ++b)
    pairs[b + 1] = pairs[b] + int64_t{f.offsets[b + 1] - f.offsets[b]} * (f.key_offsets[b + 1] - f.key_offsets[b]);
}

struct Range {
  int64_t begin, end;
};

template <class T>
struct Head {
  int64_t queries, keys, width, value_width;
  int64_t step, value_step, softmax_step;  // from one element to the next
  int64_t first_query, first_key, head, heads;
  const T *q, *k, *v, *bias;  // of the set's first elements; bias [queries, keys] or null
  int64_t pairs_at;  // the place of the first pair among all of them
  T scale;
  bool causal;
  Keep<T> keep;

  Head(const Attention<T>& f, int64_t set, int64_t number, const int64_t* pairs)
      : queries(f.offsets[set + 1] - f.offsets[set]), keys(f.key_offsets[set + 1] - f.key_offsets[set]), width(f.width),
        value_width(f.value_width), step(f.heads * f.width), value_step(f.heads * f.value_width),
        softmax_step(f.heads * 2), first_query(f.offsets[set]), first_key(f.key_offsets[set]), head(number),
        heads(f.heads), q(f.q + of_query(width, step)), k(f.k + of_key(width, step)),
        v(f.v + of_key(value_width, value_step)), bias(nullptr),
        pairs_at(pairs ? pairs[set] * f.heads + number * queries * keys : 0), scale(f.scale), causal(f.causal),
        keep(f.keep) {
    if (f.bias) bias = f.bias + pairs_at;
  }
  // Where the elements of this head begin for the set's first query or key.
  int64_t of_query(int64_t columns, int64_t row) const { return first_query * row + head * columns; }
  int64_t of_key(int64_t columns, int64_t row) const { return first_key * row + head * columns; }

  // Floats from a row of `columns` of this head to the row of the head that follows, or, behind the
  // last head, to that of the first head of the next set.
  int64_t to_next(int64_t columns, int64_t row, int64_t rows) const {
    return head + 1 < heads ? columns : rows * row - head * columns;
  }

  // Query i sees this many keys, the first ones.
  int64_t seen(int64_t i) const { return causal ? std::min(keys, i + 1) : keys; }

  int64_t pair(int64_t i, int64_t j) const { return pairs_at + i * keys + j; }
  // The factor by which dropout multiplies the weight of a pair.
  T kept(int64_t i, int64_t j) const { return keep.drops() ? keep.factor(pair(i, j)) : T(1); }

  T score(int64_t i, int64_t j) const {
    if (bias && bias[i * keys + j] == -std::numeric_limits<T>::infinity()) return bias[i * keys + j];
    T sum = 0;
    for (int64_t c = 0; c < width; ++c) sum += q[i * step + c] * k[j * step + c];
    return bias ? sum * scale + bias[i * keys + j] : sum * scale;
  }
  // Calls body(j, score) for the keys that are not masked.
  template <class Body>
  void each_score(int64_t i, Body&& body) const {
    for (int64_t j = 0; j < seen(i); ++j) {
      const T s = score(i, j);
      if (s != -std::numeric_limits<T>::infinity()) body(j, s);
    }
  }
};

template <class T>
struct ForwardHead : Head<T> {
  T *y, *softmax;
  ForwardHead(const AttentionForward<T>& f, int64_t set, int64_t number, const int64_t* pairs)
      : Head<T>(f, set, number, pairs), y(f.y + this->of_query(this->value_width, this->value_step)),
        softmax(f.softmax ? f.softmax + this->of_query(2, this->softmax_step) : nullptr) {}

  void define(Range of_queries) const {
    for (int64_t i = of_queries.begin; i < of_queries.end; ++i) {
      T largest = -std::numeric_limits<T>::infinity(), total = 0;
      this->each_score(i, [&](int64_t, T s) { largest = s > largest ? s : largest; });
      T* const out = y + i * this->value_step;
      std::fill_n(out, this->value_width, T(0));
      this->each_score(i, [&](int64_t j, T s) {
        const T p = std::exp(s - largest), kept = this->kept(i, j);
        total += p;
        for (int64_t c = 0; c < this->value_width && kept != T(0); ++c)
          out[c] += p * kept * this->v[j * this->value_step + c];
      });
      for (int64_t c = 0; c < this->value_width && total != T(0); ++c) out[c] /= total;
      if (!softmax) continue;
      softmax[i * this->softmax_step] = largest;
      softmax[i * this->softmax_step + 1] = total;
    }
  }
};

// dscore_ij = p_ij (d_ij <dy_i, v_j> - <dy_i, y_i>), with d_ij of dropout
template <class T>
struct BackwardHead : Head<T> {
  const T *y, *softmax, *dy;
  T *dq, *dk, *dv, *dbias;  // null where they are not wanted
  BackwardHead(const AttentionBackward<T>& f, int64_t set, int64_t number, const int64_t* pairs)
      : Head<T>(f, set, number, pairs), y(f.y + this->of_query(this->value_width, this->value_step)),
        softmax(f.softmax + this->of_query(2, this->softmax_step)),
        dy(f.dy + this->of_query(this->value_width, this->value_step)),
        dq(f.dq ? f.dq + this->of_query(this->width, this->step) : nullptr),
        dk(f.dk ? f.dk + this->of_key(this->width, this->step) : nullptr),
        dv(f.dv ? f.dv + this->of_key(this->value_width, this->value_step) : nullptr),
        dbias(f.dbias ? f.dbias + this->pairs_at : nullptr) {}

  T largest(int64_t i) const { return softmax[i * this->softmax_step]; }
  T total(int64_t i) const { return softmax[i * this->softmax_step + 1]; }
  T dot(const T* a, const T* b) const {
    T sum = 0;
    for (int64_t c = 0; c < this->value_width; ++c) sum += a[c] * b[c];
    return sum;
  }
  T mean(int64_t i) const { return dot(dy + i * this->value_step, y + i * this->value_step); }
  T weight(int64_t i, T score) const { return total(i) == T(0) ? T(0) : std::exp(score - largest(i)) / total(i); }
  // Of a pair that has the weight p, times what dropout makes of it; `mean` is the query's.
  T dscore(int64_t i, int64_t j, T p, T kept, T mean) const {
    if (p == T(0)) return T(0);
    return p * (Keep<T>::times(kept, dot(dy + i * this->value_step, this->v + j * this->value_step)) - mean);
  }

  void define_of_queries(Range range) const {
    for (int64_t i = range.begin; i < range.end; ++i) {
      if (dq) std::fill_n(dq + i * this->step, this->width, T(0));
      if (dbias) std::fill_n(dbias + i * this->keys, this->keys, T(0));
      const T own_mean = mean(i);
      this->each_score(i, [&](int64_t j, T score) {
        const T ds = dscore(i, j, weight(i, score), this->kept(i, j), own_mean);
        if (dbias) dbias[i * this->keys + j] = ds;
        for (int64_t c = 0; dq && c < this->width; ++c)
          dq[i * this->step + c] += this->scale * ds * this->k[j * this->step + c];
      });
    }
  }
  void define_of_keys(Range range) const {
    for (int64_t j = range.begin; j < range.end; ++j) {
      if (dk) std::fill_n(dk + j * this->step, this->width, T(0));
      if (dv) std::fill_n(dv + j * this->value_step, this->value_width, T(0));
      for (int64_t i = this->causal ? j : 0; i < this->queries; ++i) {
        const T s = this->score(i, j);
        if (s == -std::numeric_limits<T>::infinity()) continue;
        const T p = weight(i, s), kept = this->kept(i, j), ds = dscore(i, j, p, kept, mean(i));
        for (int64_t c = 0; dk && c < this->width; ++c)
          dk[j * this->step + c] += this->scale * ds * this->q[i * this->step + c];
        for (int64_t c = 0; dv && c < this->value_width && kept != T(0); ++c)
          dv[j * this->value_step + c] += p * kept * dy[i * this->value_step + c];
      }
    }
  }
};

}  // namespace upsilon
