// One matrix per event, of its rows by its columns, one event after the other: costs and losses of
// pairs.
#pragma once
#include "lib/math/philox.h"

namespace upsilon {

struct PairMatrices {
  int64_t events, entries;  // as many entries as their tensor has
  const int32_t *row_offsets, *column_offsets;

  UPS_HD int64_t rows(int64_t b) const { return row_offsets[b + 1] - row_offsets[b]; }
  UPS_HD int64_t columns(int64_t b) const { return column_offsets[b + 1] - column_offsets[b]; }
  UPS_HD int64_t count(int64_t b) const { return rows(b) * columns(b); }
  // Whether the matrix of b, which begins there, is inside the tensor.
  UPS_HD bool has(int64_t b, int64_t begin) const { return count(b) <= entries - begin; }

  // Where the matrices begin, never behind the end of the tensor; [events + 1].
  void find_beginnings(int64_t* begins) const {
    begins[0] = 0;
    for (int64_t b = 0; b < events; ++b) {
      const int64_t next = begins[b] + count(b);
      begins[b + 1] = next < entries ? next : entries;
    }
  }
};

}  // namespace upsilon
