// Softmax over `count` numbers that lie `stride` apart, as references compute it.
#pragma once
#include "lib/kernel.h"

namespace upsilon {

template <class T>
void softmax_of(const T* x, int64_t count, int64_t stride, T* y) {
  if (count == 0) return;
  T largest = x[0], total(0);
  for (int64_t i = 1; i < count; ++i) largest = x[i * stride] > largest ? x[i * stride] : largest;
  for (int64_t i = 0; i < count; ++i) total += y[i * stride] = std::exp(x[i * stride] - largest);
  for (int64_t i = 0; i < count; ++i) y[i * stride] /= total;
}

template <class T>
void softmax_gradient_of(const T* y, const T* dy, int64_t count, int64_t stride, T* dx) {
  T mean(0);
  for (int64_t i = 0; i < count; ++i) mean += y[i * stride] * dy[i * stride];
  for (int64_t i = 0; i < count; ++i) dx[i * stride] = y[i * stride] * (dy[i * stride] - mean);
}

}  // namespace upsilon
