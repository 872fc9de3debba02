// How the elements of a set become one: the arithmetic around it.
#pragma once
#include <cstdint>

#include "upsilon/upsilon.h"

namespace upsilon {

inline bool is_extreme(int32_t pool) { return pool == UPS_POOL_MAX || pool == UPS_POOL_MIN; }

// What the sum over the elements [begin, end) is divided by for its mean: without weights, their
// number.
template <class T>
T total_weight(const T* weights, int64_t begin, int64_t end) {
  if (!weights) return static_cast<T>(end - begin);
  T total(0);
  for (int64_t i = begin; i < end; ++i) total += weights[i];
  return total;
}

// The factor that makes a mean of a sum over weights of this total.
template <class T>
T mean_scale(T total) {
  return total == T(0) ? T(0) : T(1) / total;
}

}  // namespace upsilon
