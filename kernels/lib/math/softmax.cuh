// A softmax by a warp, over rows that begin at `first` and lie `step` numbers apart. Lanes that
// share a column, every `column_lanes`-th, take rows in turn; sums and maxima over them are trees,
// the same in every lane. All lanes of a warp take part, `rows` is 0 in those that have no column;
// with `team_lanes` below 32 a warp has several teams with columns of their own. Long columns are
// cut into pieces, whose parts are joined in an order that depends on the length alone.
#pragma once
#include "lib/cuda/cuda.h"

namespace upsilon {

// Of a piece: the largest number, and the sum of exp(number - largest), 0 if all are -inf.
struct SoftmaxPart {
  float largest, total;
};

struct WarpColumn {
  int64_t first, rows, step;
  int lane, column_lanes, team_lanes = 32;

  UPS_ON_DEVICE int row_lane() const { return lane % team_lanes / column_lanes; }
  UPS_ON_DEVICE int row_lanes() const { return team_lanes / column_lanes; }
  template <class Body>
  UPS_ON_DEVICE void each(Body&& body) const {
    for (int64_t row = row_lane(); row < rows; row += row_lanes()) body(first + row * step);
  }
  UPS_ON_DEVICE float sum(float value) const {
    for (int distance = column_lanes; distance < team_lanes; distance *= 2)
      value += ups::Tile<32>::here().shfl_xor(value, distance);
    return value;
  }
  // The largest; NaN is ignored.
  UPS_ON_DEVICE float largest(float value) const {
    for (int distance = column_lanes; distance < team_lanes; distance *= 2) {
      const float other = ups::Tile<32>::here().shfl_xor(value, distance);
      value = other > value ? other : value;
    }
    return value;
  }
  UPS_ON_DEVICE float largest_of(const float* x) const {
    float most = -INFINITY;
    each([&](int64_t at) { most = x[at] > most ? x[at] : most; });
    return largest(most);
  }

  UPS_ON_DEVICE void softmax(const float* x, float* y) const {
    const float most = largest_of(x);
    float total = 0.0f;
    each([&](int64_t at) { total += y[at] = expf(x[at] - most); });
    total = sum(total);
    each([&](int64_t at) { y[at] /= total; });
  }
  UPS_ON_DEVICE SoftmaxPart part(const float* x) const {
    const float most = largest_of(x), taken = most == -INFINITY ? 0.0f : most;
    float total = 0.0f;
    each([&](int64_t at) { total += expf(x[at] - taken); });
    return {most, sum(total)};
  }
  // The part of a whole column from those of its pieces, part_at(0) ... part_at(pieces - 1).
  template <class PartAt>
  UPS_ON_DEVICE SoftmaxPart join(int64_t pieces, PartAt part_at) const {
    float most = -INFINITY, total = 0.0f;
    for (int64_t p = row_lane(); p < pieces; p += row_lanes()) {
      const float other = part_at(p).largest;
      most = other > most ? other : most;
    }
    most = largest(most);
    for (int64_t p = row_lane(); p < pieces; p += row_lanes()) {
      const SoftmaxPart part = part_at(p);
      total += part.total * expf(part.largest - most);
    }
    return {most, sum(total)};
  }
  UPS_ON_DEVICE void finish(const float* x, const SoftmaxPart& whole, float* y) const {
    each([&](int64_t at) { y[at] = expf(x[at] - whole.largest) / whole.total; });
  }

  UPS_ON_DEVICE float product(const float* y, const float* dy) const {
    float mean = 0.0f;
    each([&](int64_t at) { mean += y[at] * dy[at]; });
    return sum(mean);
  }
  // The sum of the pieces' products.
  template <class ProductAt>
  UPS_ON_DEVICE float add_up(int64_t pieces, ProductAt product_at) const {
    float mean = 0.0f;
    for (int64_t p = row_lane(); p < pieces; p += row_lanes()) mean += product_at(p);
    return sum(mean);
  }
  UPS_ON_DEVICE void finish_gradient(const float* y, const float* dy, float mean, float* dx) const {
    each([&](int64_t at) { dx[at] = y[at] * (dy[at] - mean); });
  }
};

}  // namespace upsilon
