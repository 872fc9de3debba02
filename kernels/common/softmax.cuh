// A softmax by a warp, over rows that begin at `first` and lie `step` numbers apart. Lanes that share a column, every
// `column_lanes`-th, take rows in turn; sums and maxima over them are trees, the same in every lane. All lanes of a warp
// take part, `rows` is 0 in those that have no column.
#pragma once
#include "common/cuda.h"

namespace upsilon {

struct WarpColumn {
  int64_t first, rows, step;
  int lane, column_lanes;

  template <class Body>
  UPS_ON_DEVICE void each(Body&& body) const {
    for (int64_t row = lane / column_lanes; row < rows; row += 32 / column_lanes) body(first + row * step);
  }
  UPS_ON_DEVICE float sum(float value) const {
    for (int distance = column_lanes; distance < 32; distance *= 2)
      value += ups::Tile<32>::here().shfl_xor(value, distance);
    return value;
  }
  // The largest; NaN is passed over.
  UPS_ON_DEVICE float largest(float value) const {
    for (int distance = column_lanes; distance < 32; distance *= 2) {
      const float other = ups::Tile<32>::here().shfl_xor(value, distance);
      value = other > value ? other : value;
    }
    return value;
  }

  UPS_ON_DEVICE void softmax(const float* x, float* y) const {
    float most = -INFINITY, total = 0.0f;
    each([&](int64_t at) { most = x[at] > most ? x[at] : most; });
    most = largest(most);
    each([&](int64_t at) { total += y[at] = expf(x[at] - most); });
    total = sum(total);
    each([&](int64_t at) { y[at] /= total; });
  }
  UPS_ON_DEVICE void gradient(const float* y, const float* dy, float* dx) const {
    float mean = 0.0f;
    each([&](int64_t at) { mean += y[at] * dy[at]; });
    mean = sum(mean);
    each([&](int64_t at) { dx[at] = y[at] * (dy[at] - mean); });
  }
};

}  // namespace upsilon
