// Rows of any length, cut into pieces of at most `piece` positions, so that none keeps one team of
// threads longer than that: a kernel works on first pieces, one a row, and an earlier one on all
// later pieces. All pieces of a row but its last are full, so at most one later piece begins among
// the positions q * piece and following: window q is its number. A row's pieces depend on the row
// alone, not on what is around it.
#pragma once
#include "lib/cuda/cuda.h"

namespace upsilon {

// As many windows as may hold a later piece.
template <int piece>
int64_t later_windows(int64_t positions) {
  return positions > piece ? ceil_div(positions, piece) : 0;
}

struct RowPiece {
  int64_t row, begin, end;  // row -1: there is none
};

template <int piece>
UPS_ON_DEVICE RowPiece first_piece(const int32_t* offsets, int64_t row) {
  const int64_t begin = offsets[row];
  return {row, begin, ups::min<int64_t>(offsets[row + 1], begin + piece)};
}

// The last row that begins at or before a position; there is one.
UPS_ON_DEVICE int64_t row_at(const int32_t* offsets, int64_t rows, int64_t position) {
  int64_t low = 0, high = rows;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (offsets[middle] <= position) low = middle;
    else high = middle;
  }
  return low;
}

template <int piece>
UPS_ON_DEVICE RowPiece later_piece(const int32_t* offsets, int64_t rows, int64_t window) {
  const int64_t position = window * piece;
  if (rows == 0 || offsets[0] > position) return {-1, 0, 0};
  const int64_t row = row_at(offsets, rows, position), first = offsets[row], row_end = offsets[row + 1];
  const int64_t number = (position - first + piece - 1) / piece, begin = first + number * piece;
  if (number == 0 || begin >= row_end) return {-1, 0, 0};
  return {row, begin, ups::min(row_end, begin + piece)};
}

// Item i < rows is the first piece of row i, item rows + q the later piece of window q.
template <int piece>
UPS_ON_DEVICE RowPiece piece_of_item(const int32_t* offsets, int64_t rows, int64_t item) {
  return item < rows ? first_piece<piece>(offsets, item) : later_piece<piece>(offsets, rows, item - rows);
}

// Calls visit(window) for the later pieces of a row, in order.
template <int piece, class Visit>
UPS_ON_DEVICE void each_later_piece(const int32_t* offsets, int64_t row, Visit visit) {
  const int64_t end = offsets[row + 1];
  for (int64_t begin = int64_t{offsets[row]} + piece; begin < end; begin += piece) visit(begin / piece);
}

}  // namespace upsilon
