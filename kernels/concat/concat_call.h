// A checked call of concat, as plain numbers and pointers.
#pragma once
#include "concat/concat.h"
#include "core/operation.h"

namespace upsilon {

inline constexpr int most_parts = UPS_CONCAT_MAX_INPUTS;

// Rows of `width` numbers, of which parts lie apart: part k has columns begin[k] to begin[k] + widths[k], at `part[k]`,
// which is null where it is not wanted.
template <class T>
struct Parts {
  int64_t rows, width = 0;
  int64_t widths[most_parts], begin[most_parts];
  T* part[most_parts];

  Parts(const Call& call, int first) : rows(call.dims[0]) {
    for (int k = 0; k < most_parts; ++k) {
      widths[k] = call.given(k) ? call.dims[1 + k] : 0;
      begin[k] = width;
      width += widths[k];
      part[k] = call.data<T>(first + k);
    }
  }
};

template <class T>
struct ConcatForward : Parts<const T> {
  T* y;
  explicit ConcatForward(const Call& call) : Parts<const T>(call, 0), y(call.data<T>(most_parts)) {}
};

template <class T>
struct ConcatBackward : Parts<T> {
  const T* dy;
  explicit ConcatBackward(const Call& call) : Parts<T>(call, most_parts + 1), dy(call.data<const T>(most_parts)) {}
};

// The gradient of what was not given has no shape.
inline bool concat_backward_supports(const Call& call) {
  for (int k = 0; k < most_parts; ++k)
    if (!call.given(k) && call.given(most_parts + 1 + k)) return false;
  return true;
}

}  // namespace upsilon
