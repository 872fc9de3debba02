// SIMD: the steps of lib/math/softmax.simd.h, set by set in L1. Floor: memory, x and y once
// (backward y, dy and dx); below the cache, one exponential for each number. WorkspaceLayout of
// large sets are scaled by what all pieces of the set have found.
#include <atomic>

#include "segment_softmax/segment_softmax.h"
#include "segment_softmax/segment_softmax_call.h"

#define UPS_SIMD_SOURCE "segment_softmax/segment_softmax.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/softmax.simd.h"
#include "lib/segments/set_pieces.simd.h"
#include "lib/simd/elementary.simd.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t piece_elements = 1024;

template <class Sets>
SetPieces pieces_of(const Sets& f) {
  return {f.offsets, f.sets, piece_elements, 2 * piece_elements};
}

// Numbers of each column of a set: on a worker's own memory, and for pieces of cut sets in their
// slots.
struct Scratch {
  static constexpr int64_t numbers = 2;
  float *own, *partials;

  template <class Sets>
  Scratch(const Sets& f, int32_t workers, WorkspaceLayout& workspace) {
    own = workspace.reserve<float>(numbers * f.columns * workers);
    const int64_t slots = f.elements > piece_elements ? SetPieces::slots(f.elements, piece_elements) : 0;
    partials = workspace.reserve<float>(numbers * f.columns * slots);
  }
};

// Runs whole(piece, numbers) for sets in one piece; first(piece, numbers) for pieces of cut sets,
// join(set, workspace, numbers_of) once for each such set, and last(piece, numbers) for its pieces
// again. Rows outside every set become 0.
template <class Sets, class Whole, class First, class Join, class Last>
void each_set_of(const Call& call, const Sets& f, Whole&& whole, First&& first, Join&& join, Last&& last) {
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<Scratch>(call, f);
  const SetPieces sets = pieces_of(f);
  const int64_t floats = Scratch::numbers * f.columns, begin = f.offsets[0], end = f.offsets[f.sets];
  fill_zero(threads, f.result(), begin * f.columns);
  fill_zero(threads, f.result() + end * f.columns, (f.elements - end) * f.columns);
  std::atomic<bool> any_cut{false};
  threads.run(sets.tasks(), [&](int64_t task, int32_t worker) {
    sets.each_of_task(task, [&](const Piece& piece) {
      if (piece.begin == piece.end) return;
      if (piece.count == 1) return whole(piece, scratch.own + worker * floats);
      any_cut.store(true, std::memory_order_relaxed);
      first(piece, scratch.partials + sets.slot(piece) * floats);
    });
  });
  if (!any_cut.load(std::memory_order_relaxed)) return;
  sets.each_cut_set(threads, [&](int64_t, int64_t from, int64_t size) {
    join(ceil_div(size, piece_elements),
         [&](int64_t piece) { return scratch.partials + sets.slot_of(from, piece) * floats; });
  });
  sets.each(threads, [&](const Piece& piece) {
    if (piece.count > 1) last(piece, scratch.partials + sets.slot(piece) * floats);
  });
}

ups_status forward(const Call& call) {
  const SegmentSoftmaxForward<float> f(call);
  const int64_t columns = f.columns;
  const auto first = [&](const Piece& piece, float* numbers) {
    const int64_t at = piece.begin * columns;
    exponentials(f.x + at, piece.end - piece.begin, columns, f.y + at, numbers, numbers + columns);
  };
  const auto last = [&](const Piece& piece, const float* numbers) {
    scale_columns(f.y + piece.begin * columns, piece.end - piece.begin, columns, numbers + columns);
  };
  const auto whole = [&](const Piece& piece, float* numbers) {
    first(piece, numbers);
    each_vector(columns, [&](int64_t c, int64_t here) {
      store_some(numbers + columns + c, broadcast(1.0f) / load_some(numbers + columns + c, here), here);
    });
    last(piece, numbers);
  };
  // The factor of a piece: exp(its largest - the set's) / the set's total.
  const auto join = [&](int64_t pieces, auto&& numbers_of) {
    each_vector(columns, [&](int64_t c, int64_t here) {
      Floats largest = broadcast(-INFINITY), total = zero();
      for (int64_t p = 0; p < pieces; ++p) largest = max(load_some(numbers_of(p) + c, here), largest);
      const auto share = [&](int64_t p) {
        const Floats own = load_some(numbers_of(p) + c, here);
        return own == largest ? broadcast(1.0f) : exp(own - largest);
      };
      for (int64_t p = 0; p < pieces; ++p) total += share(p) * load_some(numbers_of(p) + columns + c, here);
      for (int64_t p = 0; p < pieces; ++p) store_some(numbers_of(p) + columns + c, share(p) / total, here);
    });
  };
  each_set_of(call, f, whole, first, join, last);
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const SegmentSoftmaxBackward<float> f(call);
  const int64_t columns = f.columns;
  const auto first = [&](const Piece& piece, float* numbers) {
    const int64_t at = piece.begin * columns;
    mean_gradients(f.y + at, f.dy + at, piece.end - piece.begin, columns, numbers);
  };
  const auto last = [&](const Piece& piece, const float* numbers) {
    const int64_t at = piece.begin * columns;
    softmax_gradients(f.y + at, f.dy + at, piece.end - piece.begin, columns, numbers, f.dx + at);
  };
  const auto whole = [&](const Piece& piece, float* numbers) {
    first(piece, numbers);
    last(piece, numbers);
  };
  const auto join = [&](int64_t pieces, auto&& numbers_of) {
    each_vector(columns, [&](int64_t c, int64_t here) {
      Floats sum = load_some(numbers_of(0) + c, here);
      for (int64_t p = 1; p < pieces; ++p) sum += load_some(numbers_of(p) + c, here);
      for (int64_t p = 0; p < pieces; ++p) store_some(numbers_of(p) + c, sum, here);
    });
  };
  each_set_of(call, f, whole, first, join, last);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, SegmentSoftmaxForwardCall, forward, workspace_of<SegmentSoftmaxForward<float>, Scratch>)
UPS_CPU_VARIANT(backward, SegmentSoftmaxBackwardCall, backward, workspace_of<SegmentSoftmaxBackward<float>, Scratch>)

UPS_SIMD_END
