// A checked call of random, as plain numbers and pointers.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/named_call.h"
#include "lib/kernel.h"
#include "lib/math/normal.h"
#include "random/random.h"

namespace upsilon {

inline constexpr OperationLine random_uniform_line{"random_uniform", UPS_RANDOM_UNIFORM_SCHEMA};
using RandomUniformCall = CallOf<random_uniform_line, ups_random_uniform_options>;
inline constexpr OperationLine random_normal_line{"random_normal", UPS_RANDOM_NORMAL_SCHEMA};
using RandomNormalCall = CallOf<random_normal_line, ups_random_normal_options>;

// offset + slope x, rounded twice.
struct Line {
  float offset, slope;

  // As the defaults must leave x as it is, its sign of zero too, they add -0.
  Line(float offset_, float slope_) : offset(offset_ == 0 && slope_ == 1 ? -0.0f : offset_), slope(slope_) {}
  explicit Line(const ups_random_uniform_options& options) : Line(options.low, options.high - options.low) {}
  explicit Line(const ups_random_normal_options& options) : Line(options.mean, options.deviation) {}

  bool changes() const { return offset != 0 || slope != 1; }
  UPS_HD float at(float x) const { return offset + rounded_product(slope, x); }
};

// y as rows, each of a stream of its own. A quad is what one Philox counter gives: four numbers of
// a row, or those left at its end.
template <class T, class Named>
struct Random {
  int64_t count;
  T* y;
  uint64_t seed, stream;  // stream: of the first row
  int64_t per_stream;  // numbers of a row; the last may have fewer
  int64_t row_quads, quads;
  Line line;

  explicit Random(const Named& call)
      : count(call.dim("...")), y(call["y"]), seed(call.options().seed), stream(call.options().stream),
        per_stream(row_length(call.options().per_stream, count)), row_quads(ceil_div(per_stream, 4)),
        quads(count / per_stream * row_quads + ceil_div(count % per_stream, 4)), line(call.options()) {}
  static int64_t row_length(int64_t given, int64_t count) {
    const int64_t all = std::max<int64_t>(count, 1);
    return given == 0 ? all : std::min(given, all);
  }

  // Whether quad q of all rows begins at element 4 q of y.
  bool quads_are_dense() const { return per_stream % 4 == 0 || row_quads == quads; }
};

}  // namespace upsilon
