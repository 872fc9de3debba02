// A checked call of concat, as plain numbers and pointers.
#pragma once
#include "concat/concat.h"
#include "core/named_call.h"

namespace upsilon {

inline constexpr OperationLine concat_forward_line{"concat_forward", UPS_CONCAT_FORWARD_SCHEMA};
using ConcatForwardCall = CallOf<concat_forward_line>;
inline constexpr OperationLine concat_backward_line{"concat_backward", UPS_CONCAT_BACKWARD_SCHEMA};
using ConcatBackwardCall = CallOf<concat_backward_line>;

inline constexpr int max_parts = UPS_CONCAT_MAX_INPUTS;

// Rows of `width` numbers, of which parts lie apart: part k has columns begin[k] to begin[k] +
// widths[k], at `part[k]`, which is null where it is not wanted.
template <class T>
struct Parts {
  int64_t rows, width = 0;
  int64_t widths[max_parts], begin[max_parts];
  T* part[max_parts];

  Parts(int64_t rows_, const ArgumentList& given, const DimensionList& given_widths, const ArgumentList& parts)
      : rows(rows_) {
    for (int k = 0; k < max_parts; ++k) {
      widths[k] = given.given(k) ? given_widths[k] : 0;
      begin[k] = width;
      width += widths[k];
      part[k] = parts[k];
    }
  }
};

template <class T>
struct ConcatForward : Parts<const T> {
  T* y;
  explicit ConcatForward(const ConcatForwardCall& call)
      : Parts<const T>(call.dim("..."), call.list("x#"), call.dims("F#"), call.list("x#")), y(call["y"]) {}
};

template <class T>
struct ConcatBackward : Parts<T> {
  const T* dy;
  explicit ConcatBackward(const ConcatBackwardCall& call)
      : Parts<T>(call.dim("..."), call.list("x#"), call.dims("F#"), call.list("dx#")), dy(call["dy"]) {}
};

// The gradient of what was not given has no shape.
}  // namespace upsilon
