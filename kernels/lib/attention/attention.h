// The numbers and pointers of attention over sets, as attention and pair_attention both fill them.
#pragma once
#include <cmath>

#include "lib/math/keep.h"

namespace upsilon {

// What the option scale stands for: 0 is 1/sqrt(width), rounded to float as a caller's own would
// be.
template <class T>
T attention_scale(float option, int64_t width) {
  if (option != 0 || width == 0) return option != 0 ? static_cast<T>(option) : T(1);
  return static_cast<T>(static_cast<float>(1 / std::sqrt(static_cast<double>(width))));
}

// Common to forward and backward.
template <class T>
struct Attention {
  int64_t queries = 0, heads = 0, width = 0, keys = 0, value_width = 0, sets = 0;
  const T *q = nullptr, *k = nullptr, *v = nullptr;
  const int32_t *offsets = nullptr, *key_offsets = nullptr;
  const T* bias = nullptr;
  T scale = 1;
  bool causal = false;
  Keep<T> keep{0, 0, 0};
};

template <class T>
struct AttentionForward : Attention<T> {
  T *y = nullptr, *softmax = nullptr;

  // Whether the position of a pair among all pairs matters.
  bool needs_pairs() const { return this->bias || this->keep.drops(); }
};

template <class T>
struct AttentionBackward : Attention<T> {
  const T *y = nullptr, *softmax = nullptr, *dy = nullptr;
  T *dq = nullptr, *dk = nullptr, *dv = nullptr, *dbias = nullptr;

  bool needs_pairs() const { return this->bias || dbias || this->keep.drops(); }
};

}  // namespace upsilon
