// Sums and extremes over the rows of each segment (event, table row), on the device. Compiled in
// segments.cu.
//
// The order of the additions depends on the segment alone, not on the batch around it: a segment is
// cut into pieces of segment_piece rows; in a piece, row r belongs to slot r % 8, each slot is
// added up in order and the slots in a tree; the pieces are added up in order.
#pragma once
#include "lib/cuda/cuda.h"

namespace upsilon {

inline constexpr int segment_piece = 1024;

// Segment s holds the positions offsets[s] <= p < offsets[s+1]; position p stands for row order[p]
// of x, or for row p when order is null. x rows are x_stride floats apart, of which the first
// `columns` count.
struct Segments {
  const int32_t* offsets;
  const int32_t* order;
  const float* x;
  int64_t x_stride, positions, segments, columns;
};

// Scratch floats for sums; for extremes as many floats and as many int32 besides.
int64_t segment_floats(const Segments& segments);

// y[s, :] = sum, or with `mean` the sum over the number of rows; an empty segment gives 0.
void segment_sums(Launcher& launch, const Segments& segments, bool mean, float* scratch, float* y);

// The largest (or smallest) element of each segment and column, NaN before any number, and the
// position of the first such; 0 and -1 for an empty segment. Either result may be null.
void segment_extremes(Launcher& launch, const Segments& segments, bool smallest, float* scratch, int32_t* scratch_where,
                      float* y, int32_t* where);

}  // namespace upsilon
