// CUDA. Floor: memory, x and y once (backward y, dy and dx). A warp takes a set and up to 32
// columns; with fewer columns its lanes share the rows. Long sets are cut into pieces of a warp
// each: one kernel finds their parts, the next joins these and finishes the pieces.
#include "segment_softmax/segment_softmax.h"

#include "lib/segments/row_pieces.cuh"
#include "lib/math/softmax.cuh"
#include "segment_softmax/segment_softmax_call.h"

namespace upsilon {
namespace {

constexpr int piece_rows = 256;

struct PieceOfSet {
  int64_t set, column, size, part;  // size: of the set; part: where this column of the piece has its own

  // Where the set's parts are: those of its first piece, and of later ones.
  template <class Sets>
  UPS_ON_DEVICE int64_t part_of(const Sets& f, int64_t piece) const {
    return (piece == 0 ? set : f.sets + f.offsets[set] / piece_rows + piece) * f.columns + column;
  }
  UPS_ON_DEVICE int64_t pieces() const { return (size + piece_rows - 1) / piece_rows; }
  UPS_ON_DEVICE bool is_whole() const { return size <= piece_rows; }
};

template <class Sets>
UPS_HD int64_t item_count(const Sets& f) {
  return f.sets + (f.elements > piece_rows ? (f.elements + piece_rows - 1) / piece_rows : 0);
}

// Calls body(column, piece) in all lanes of a warp for every piece and strip of columns.
template <class Sets, class Body>
UPS_ON_DEVICE void each_column(const Sets& f, int column_lanes, Body body) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t strips = (f.columns + column_lanes - 1) / column_lanes;
  for (int64_t at = global_thread() / 32; at < item_count(f) * strips; at += global_threads() / 32) {
    const int64_t item = at / strips, column = at % strips * column_lanes + lane % column_lanes;
    const RowPiece piece = piece_of_item<piece_rows>(f.offsets, f.sets, item);
    if (piece.row < 0) continue;
    body(WarpColumn{piece.begin * f.columns + column, column < f.columns ? piece.end - piece.begin : 0, f.columns, lane,
                    column_lanes},
         PieceOfSet{piece.row, column < f.columns ? column : 0, f.offsets[piece.row + 1] - f.offsets[piece.row],
                    item * f.columns + column});
  }
}

// One lane of each column has it to store.
UPS_ON_DEVICE bool stores(const WarpColumn& column) { return column.row_lane() == 0 && column.rows > 0; }

template <int threads>
UPS_KERNEL_LB(threads)
softmax_sets(const int32_t* fault, SegmentSoftmaxForward<float> f, int column_lanes, SoftmaxPart* parts) {
  if (*fault != 0) return;
  each_column(f, column_lanes, [&](const WarpColumn& column, const PieceOfSet& piece) {
    if (piece.is_whole()) return column.softmax(f.x, f.y);
    const SoftmaxPart part = column.part(f.x);
    if (stores(column)) parts[piece.part] = part;
  });
}

template <int threads>
UPS_KERNEL_LB(threads)
finish_sets(const int32_t* fault, SegmentSoftmaxForward<float> f, int column_lanes, const SoftmaxPart* parts) {
  if (*fault != 0) return;
  each_column(f, column_lanes, [&](const WarpColumn& column, const PieceOfSet& piece) {
    if (piece.is_whole()) return;
    const SoftmaxPart whole = column.join(piece.pieces(), [&](int64_t p) { return parts[piece.part_of(f, p)]; });
    column.finish(f.x, whole, f.y);
  });
}

template <int threads>
UPS_KERNEL_LB(threads)
gradient_sets(const int32_t* fault, SegmentSoftmaxBackward<float> f, int column_lanes, float* products) {
  if (*fault != 0) return;
  each_column(f, column_lanes, [&](const WarpColumn& column, const PieceOfSet& piece) {
    const float product = column.product(f.y, f.dy);
    if (piece.is_whole()) column.finish_gradient(f.y, f.dy, product, f.dx);
    else if (stores(column)) products[piece.part] = product;
  });
}

template <int threads>
UPS_KERNEL_LB(threads)
finish_gradients(const int32_t* fault, SegmentSoftmaxBackward<float> f, int column_lanes, const float* products) {
  if (*fault != 0) return;
  each_column(f, column_lanes, [&](const WarpColumn& column, const PieceOfSet& piece) {
    if (piece.is_whole()) return;
    const float mean = column.add_up(piece.pieces(), [&](int64_t p) { return products[piece.part_of(f, p)]; });
    column.finish_gradient(f.y, f.dy, mean, f.dx);
  });
}

// A number of type Part for every piece and column, where a set may have several.
template <class Part>
struct Parts {
  Part* parts;
  template <class Sets>
  Parts(const Sets& f, WorkspaceLayout& workspace)
      : parts(workspace.reserve<Part>(later_windows<piece_rows>(f.elements) > 0 ? item_count(f) * f.columns : 0)) {}
};
template <class Part, class Sets, class First, class Last>
ups_status run(const Call& call, First first, Last last) {
  const Sets f(call);
  Launcher launch(call);
  Part* const parts = scratch_of<Parts<Part>>(call, f).parts;
  // Rows outside every set.
  launch.clear(f.result(), sizeof(float) * static_cast<size_t>(f.elements * f.columns));
  const int column_lanes = lanes_for(f.columns);
  const int64_t lanes = item_count(f) * ceil_div(f.columns, column_lanes) * 32;
  launch.elements(first, lanes, f, column_lanes, parts);
  if (later_windows<piece_rows>(f.elements) > 0) launch.elements(last, lanes, f, column_lanes, parts);
  return launch.status();
}

ups_status forward(const Call& call) {
  return run<SoftmaxPart, SegmentSoftmaxForward<float>>(call, softmax_sets<block_threads>, finish_sets<block_threads>);
}
ups_status backward(const Call& call) {
  return run<float, SegmentSoftmaxBackward<float>>(call, gradient_sets<block_threads>, finish_gradients<block_threads>);
}

UPS_CUDA_VARIANT(forward, SegmentSoftmaxForwardCall, forward,
                 workspace_of<SegmentSoftmaxForward<float>, Parts<SoftmaxPart>>)
UPS_CUDA_VARIANT(backward, SegmentSoftmaxBackwardCall, backward,
                 workspace_of<SegmentSoftmaxBackward<float>, Parts<float>>)

}  // namespace
}  // namespace upsilon
