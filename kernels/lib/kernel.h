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

// Where the parts of a workspace lie, each aligned. Whatever reserves parts is run twice: with no
// memory, to find out how much is needed, and with memory, to get pointers into it; see
// workspace_of.
class WorkspaceLayout {
 public:
  explicit WorkspaceLayout(void* start) : start_(static_cast<char*>(start)) {}
  template <class T>
  T* reserve(int64_t count) {
    T* part = start_ ? reinterpret_cast<T*>(start_ + at_) : nullptr;
    at_ += static_cast<size_t>(round_up(count * static_cast<int64_t>(sizeof(T)), 64));
    return part;
  }
  size_t bytes() const { return at_; }

 private:
  char* start_;
  size_t at_ = 0;
};

// What a kernel keeps in the workspace is a struct. It is made from the call's numbers f and the
// layout, and also from the number of workers, the threads or the call where its constructor asks
// for them: Scratch(f, workspace), Scratch(f, workers, workspace), Scratch(f, threads, workspace)
// or Scratch(f, call, workspace).
template <class Scratch, class F>
Scratch make_scratch(const Call& call, const F& f, WorkspaceLayout& workspace) {
  const auto workers = [&] { return call.threads->count(); };
  if constexpr (requires { Scratch(f, workspace); }) return Scratch(f, workspace);
  else if constexpr (requires { Scratch(f, *call.threads, workspace); }) return Scratch(f, *call.threads, workspace);
  else if constexpr (requires { Scratch(f, call, workspace); }) return Scratch(f, call, workspace);
  else return Scratch{f, workers(), workspace};  // braces: a bool is not a number of workers
}
// A kernel whose scratch is the first in its workspace gets it by scratch_of<Scratch>(call, f) ...
template <class Scratch, class F>
Scratch scratch_of(const Call& call, const F& f) {
  WorkspaceLayout workspace(call.workspace);
  return make_scratch<Scratch>(call, f, workspace);
}
// ... and is registered with workspace_of<F, Scratch>, which measures workspaces. Several structs
// lie one behind the other. A struct that only some calls need says which: static bool needed(const
// F&).
template <class F, class... Parts>
size_t workspace_of(const Call& call) {
  const F f(call);
  WorkspaceLayout workspace(nullptr);
  const auto measure = [&]<class Part>(const Part*) {
    if constexpr (requires { Part::needed(f); })
      if (!Part::needed(f)) return;
    (void)make_scratch<Part>(call, f, workspace);
  };
  (measure(static_cast<const Parts*>(nullptr)), ...);
  return workspace.bytes();
}

}  // namespace upsilon
