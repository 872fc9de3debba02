// What every kernel source of the CPU includes.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/operation.h"
#include "core/threads.h"

namespace upsilon {

// A gap of zero is no gap: where a division is only meant to round up.
constexpr int64_t ceil_div(int64_t value, int64_t step) { return (value + step - 1) / step; }
constexpr int64_t round_up(int64_t value, int64_t step) { return ceil_div(value, step) * step; }

// Zeroes `count` elements; nothing where the argument was left out.
template <class T>
void clear(T* elements, int64_t count) {
  if (elements) std::fill_n(elements, count, T(0));
}

// Cuts the workspace into aligned pieces. The same code runs once to measure and once to hand out:
//   Pieces pieces(nullptr); layout(pieces); pieces.bytes()      Pieces pieces(call.workspace); layout(pieces)
class Pieces {
 public:
  explicit Pieces(void* start) : start_(static_cast<char*>(start)) {}
  template <class T>
  T* take(int64_t count) {
    T* piece = start_ ? reinterpret_cast<T*>(start_ + at_) : nullptr;
    at_ += static_cast<size_t>(round_up(count * static_cast<int64_t>(sizeof(T)), 64));
    return piece;
  }
  size_t bytes() const { return at_; }

 private:
  char* start_;
  size_t at_ = 0;
};

}  // namespace upsilon
