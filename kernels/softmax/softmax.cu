// CUDA. Floor: memory, x and y once (backward y, dy and dx). A warp, or so many of its lanes as a
// short row fills, takes a row, which stays in cache from its first pass to its last. Long rows are
// cut into pieces of a warp each: one kernel finds their parts, the next joins these and finishes
// the pieces.
#include "softmax/softmax.h"

#include "lib/math/softmax.cuh"
#include "softmax/softmax_call.h"

namespace upsilon {
namespace {

constexpr int64_t piece = 1024;

int64_t pieces_of(int64_t features) { return features > piece ? ceil_div(features, piece) : 1; }

// Calls body(column) in all lanes of a warp, for as many rows at once as it has teams.
template <class Body>
UPS_ON_DEVICE void each_row(int64_t rows, int64_t features, int team_lanes, Body body) {
  const int lane = static_cast<int>(threadIdx.x) % 32, teams = 32 / team_lanes;
  for (int64_t first = global_thread() / 32 * teams; first < rows; first += global_threads() / 32 * teams) {
    const int64_t row = first + lane / team_lanes;
    body(WarpColumn{row * features, row < rows ? features : 0, 1, lane, 1, team_lanes});
  }
}

// Calls body(column, item, row) for every piece of every row; item is row * pieces + the piece's
// number.
template <class Body>
UPS_ON_DEVICE void each_piece(int64_t rows, int64_t features, int64_t pieces, Body body) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t item = global_thread() / 32; item < rows * pieces; item += global_threads() / 32) {
    const int64_t row = item / pieces, begin = item % pieces * piece;
    body(WarpColumn{row * features + begin, ups::min(piece, features - begin), 1, lane, 1}, item, row);
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
softmax_rows(const int32_t* fault, SoftmaxForward<float> f, int team_lanes) {
  if (*fault != 0) return;
  each_row(f.rows, f.features, team_lanes, [&](const WarpColumn& column) { column.softmax(f.x, f.y); });
}

template <int threads>
UPS_KERNEL_LB(threads)
find_parts(const int32_t* fault, SoftmaxForward<float> f, int64_t pieces, SoftmaxPart* parts) {
  if (*fault != 0) return;
  each_piece(f.rows, f.features, pieces, [&](const WarpColumn& column, int64_t item, int64_t) {
    const SoftmaxPart part = column.part(f.x);
    if (column.lane == 0) parts[item] = part;
  });
}

template <int threads>
UPS_KERNEL_LB(threads)
finish_pieces(const int32_t* fault, SoftmaxForward<float> f, int64_t pieces, const SoftmaxPart* parts) {
  if (*fault != 0) return;
  each_piece(f.rows, f.features, pieces, [&](const WarpColumn& column, int64_t, int64_t row) {
    column.finish(f.x, column.join(pieces, [&](int64_t p) { return parts[row * pieces + p]; }), f.y);
  });
}

template <int threads>
UPS_KERNEL_LB(threads)
gradient_rows(const int32_t* fault, SoftmaxBackward<float> f, int team_lanes) {
  if (*fault != 0) return;
  each_row(f.rows, f.features, team_lanes,
           [&](const WarpColumn& column) { column.finish_gradient(f.y, f.dy, column.product(f.y, f.dy), f.dx); });
}

template <int threads>
UPS_KERNEL_LB(threads)
find_products(const int32_t* fault, SoftmaxBackward<float> f, int64_t pieces, float* products) {
  if (*fault != 0) return;
  each_piece(f.rows, f.features, pieces, [&](const WarpColumn& column, int64_t item, int64_t) {
    const float product = column.product(f.y, f.dy);
    if (column.lane == 0) products[item] = product;
  });
}

template <int threads>
UPS_KERNEL_LB(threads)
finish_gradients(const int32_t* fault, SoftmaxBackward<float> f, int64_t pieces, const float* products) {
  if (*fault != 0) return;
  each_piece(f.rows, f.features, pieces, [&](const WarpColumn& column, int64_t, int64_t row) {
    const float mean = column.add_up(pieces, [&](int64_t p) { return products[row * pieces + p]; });
    column.finish_gradient(f.y, f.dy, mean, f.dx);
  });
}

// A number of type Part for every piece, where rows have several.
template <class Part>
struct Parts {
  Part* parts;
  template <class Rows>
  Parts(const Rows& f, WorkspaceLayout& workspace)
      : parts(workspace.reserve<Part>(pieces_of(f.features) > 1 ? f.rows * pieces_of(f.features) : 0)) {}
};
// `whole` takes rows, or `first` and `last` their pieces.
template <class Part, class Rows, class Whole, class First, class Last>
ups_status run(const Call& call, Whole whole, First first, Last last) {
  const Rows f(call);
  Launcher launch(call);
  Part* const parts = scratch_of<Parts<Part>>(call, f).parts;
  const int64_t pieces = pieces_of(f.features);
  if (pieces == 1) {
    const int team_lanes = lanes_for(f.features);
    launch.elements(whole, f.rows * team_lanes, f, team_lanes);
  } else {
    launch.elements(first, f.rows * pieces * 32, f, pieces, parts);
    launch.elements(last, f.rows * pieces * 32, f, pieces, parts);
  }
  return launch.status();
}

ups_status forward(const Call& call) {
  return run<SoftmaxPart, SoftmaxForward<float>>(call, softmax_rows<block_threads>, find_parts<block_threads>,
                                                 finish_pieces<block_threads>);
}
ups_status backward(const Call& call) {
  return run<float, SoftmaxBackward<float>>(call, gradient_rows<block_threads>, find_products<block_threads>,
                                            finish_gradients<block_threads>);
}

UPS_CUDA_VARIANT(forward, SoftmaxForwardCall, forward, workspace_of<SoftmaxForward<float>, Parts<SoftmaxPart>>)
UPS_CUDA_VARIANT(backward, SoftmaxBackwardCall, backward, workspace_of<SoftmaxBackward<float>, Parts<float>>)

}  // namespace
}  // namespace upsilon
