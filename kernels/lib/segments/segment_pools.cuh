// The intermediate results of pooling over segments of rows, and the last step, which all forms
// share: pieces of long segments are joined in order.
#pragma once
#include "lib/segments/row_pieces.cuh"
#include "lib/segments/segments.h"

namespace upsilon {
namespace {

struct Sum {
  static constexpr bool has_where = false;
  float value;
  UPS_ON_DEVICE static Sum empty() { return {0.0f}; }
  UPS_ON_DEVICE void add(float x, int32_t) { value += x; }
  UPS_ON_DEVICE void join(const Sum& other) { value += other.value; }
};

template <bool smallest>
struct Extreme {
  static constexpr bool has_where = true;
  float value;
  int32_t where;
  UPS_ON_DEVICE static Extreme empty() { return {0.0f, -1}; }
  UPS_ON_DEVICE void join(const Extreme& other) {
    if (other.where >= 0) add(other.value, other.where);
  }
  UPS_ON_DEVICE void add(float x, int32_t position) {
    const bool nan = x != x, own_nan = value != value;
    const bool beats = where < 0 || (nan && !own_nan) || (!nan && !own_nan && (smallest ? x < value : x > value));
    const bool equal = nan ? own_nan : x == value;
    if (beats || (equal && position < where)) value = x, where = position;
  }
};

// Of finished segments. Rows of `value` are `stride` apart, those of `where` are whole; either may
// be null. Sums are divided by the number of rows for a mean, or multiplied with the segment's
// scale where there are scales.
template <class Pool>
struct Results {
  float* value;
  int64_t stride;
  int32_t* where;
  int64_t columns;
  bool mean;
  const float* scales;
  UPS_ON_DEVICE void put(int64_t segment, int64_t column, const Pool& pool, int64_t size) const {
    if (value) {
      const float result = mean && size > 0 ? pool.value / static_cast<float>(size) : pool.value;
      value[segment * stride + column] = scales ? result * scales[segment] : result;
    }
    if constexpr (Pool::has_where)
      if (where) where[segment * columns + column] = pool.where;
  }
};

template <class Pool>
struct SegmentPieces {  // of segments that have several
  float* value;
  int32_t* where;
  UPS_ON_DEVICE void put(int64_t at, const Pool& pool) const {
    value[at] = pool.value;
    if constexpr (Pool::has_where) where[at] = pool.where;
  }
  UPS_ON_DEVICE Pool get(int64_t at) const {
    Pool pool = Pool::empty();
    pool.value = value[at];
    if constexpr (Pool::has_where) pool.where = where[at];
    return pool;
  }
};

// Joins the pieces of each segment that has several.
template <class Pool>
UPS_KERNEL_LB(block_threads)
join_pieces(const int32_t* fault, const int32_t* offsets, int64_t segments, int64_t columns, SegmentPieces<Pool> pieces,
            Results<Pool> results) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < segments * columns; at += global_threads()) {
    const int64_t segment = at / columns, column = at % columns;
    const int64_t size = offsets[segment + 1] - offsets[segment];
    if (size <= segment_piece) continue;
    Pool pool = pieces.get(at);
    each_later_piece<segment_piece>(
        offsets, segment, [&](int64_t window) { pool.join(pieces.get((segments + window) * columns + column)); });
    results.put(segment, column, pool, size);
  }
}

}  // namespace
}  // namespace upsilon
