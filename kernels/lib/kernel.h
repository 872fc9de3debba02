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

// Cuts the workspace into aligned pieces. Whatever takes pieces is run twice, to measure with nothing at hand and to hand
// out: see workspace_of.
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

// What a kernel keeps in the workspace is a struct, made from its call as plain numbers, from how many workers there are if
// it asks, and from the pieces: Scratch(f, pieces), Scratch(f, workers, pieces) or Scratch(f, threads, pieces). Where the call
// says more, as which strategy to take, it may have that: Scratch(f, call, pieces).
template <class Scratch, class F>
Scratch take_scratch(const Call& call, const F& f, Pieces& pieces) {
  const auto workers = [&] { return call.threads->count(); };
  if constexpr (requires { Scratch(f, pieces); }) return Scratch(f, pieces);
  else if constexpr (requires { Scratch(f, *call.threads, pieces); }) return Scratch(f, *call.threads, pieces);
  else if constexpr (requires { Scratch(f, call, pieces); }) return Scratch(f, call, pieces);
  else return Scratch{f, workers(), pieces};  // braces: a bool is no number of workers
}
// The kernel has it, the first in its workspace, by scratch_of<Scratch>(call, f) ...
template <class Scratch, class F>
Scratch scratch_of(const Call& call, const F& f) {
  Pieces pieces(call.workspace);
  return take_scratch<Scratch>(call, f, pieces);
}
// ... and is registered with workspace_of<F, Scratch>, the one function that measures workspaces. Several parts follow one
// another. One that some calls do without tells which need it: static bool needed(const F&).
template <class F, class... Parts>
size_t workspace_of(const Call& call) {
  const F f(call);
  Pieces pieces(nullptr);
  const auto take = [&]<class Part>(const Part*) {
    if constexpr (requires { Part::needed(f); })
      if (!Part::needed(f)) return;
    (void)take_scratch<Part>(call, f, pieces);
  };
  (take(static_cast<const Parts*>(nullptr)), ...);
  return pieces.bytes();
}

}  // namespace upsilon
