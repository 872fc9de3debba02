// SIMD: the channels lie across the vectors, the elements of a set stream through registers. Floor:
// memory, 4 C bytes per element (twice that for max and min backward, and for the gradients of
// weights).
#include <atomic>

#include "set_pool/set_pool.h"
#include "set_pool/set_pool_call.h"

#define UPS_SIMD_SOURCE "set_pool/set_pool.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/segments/pools.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t piece_elements = 1024;

template <class Pooling>
SetPieces pieces_of(const Pooling& f) {
  return {f.offsets, f.sets, piece_elements, 2 * piece_elements};
}

struct ForwardScratch {
  float* partials;  // of sets in several pieces
  ForwardScratch(const SetPoolForward<float>& f, WorkspaceLayout& workspace)
      : partials(workspace.reserve<float>(SetPieces::slots(f.elements, piece_elements) * f.channels)) {}
  static bool needed(const SetPoolForward<float>& f) { return f.elements > piece_elements; }
};

ups_status forward(const Call& call) {
  const SetPoolForward<float> f(call);
  const SetPieces sets = pieces_of(f);
  float* partials = scratch_of<ForwardScratch>(call, f).partials;
  std::atomic<bool> any_cut{false};
  const auto take_mean = [&](int64_t set, float* y) {
    const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
    if (!f.weights) divide(y, f.channels, end - begin, y);
    else multiply_row(y, mean_scale(total_weight(f.weights, begin, end)), f.channels, y);
  };
  sets.each(*call.threads, [&](const Piece& piece) {
    float* y = f.y + piece.set * f.channels;
    const int64_t elements = piece.end - piece.begin;
    if (elements == 0) return std::fill_n(y, f.channels, 0.0f), void();
    if (piece.count > 1) {
      y = partials + sets.slot(piece) * f.channels;
      any_cut.store(true, std::memory_order_relaxed);
    }
    const float* x = f.x + piece.begin * f.channels;
    if (f.weights) pool_weighted(x, f.channels, elements, f.weights + piece.begin, y);
    else pool_rows(f.pool, x, f.channels, elements, y);
    if (f.pool == UPS_POOL_MEAN && piece.count == 1) take_mean(piece.set, y);
  });
  if (!any_cut.load(std::memory_order_relaxed)) return UPS_OK;
  sets.each_cut_set(*call.threads, [&](int64_t set, int64_t begin, int64_t size) {
    float* y = f.y + set * f.channels;
    pool_pieces(f.pool, sets, begin, size, partials, f.channels, y);
    if (f.pool == UPS_POOL_MEAN) take_mean(set, y);
  });
  return UPS_OK;
}

struct WeightedScratch {
  float* scales;  // of the sets
  WeightedScratch(const SetPoolBackward<float>& f, WorkspaceLayout& workspace)
      : scales(workspace.reserve<float>(f.sets)) {}
  static bool needed(const SetPoolBackward<float>& f) { return f.weights != nullptr; }
};
struct ExtremeScratch {
  Extreme* partials;  // of sets in several pieces
  ExtremeScratch(const SetPoolBackward<float>& f, WorkspaceLayout& workspace)
      : partials(
            workspace.reserve<Extreme>(SetPieces::slots(f.elements, piece_elements) * ceil_div(f.channels, lanes))) {}
  static bool needed(const SetPoolBackward<float>& f) {
    return !f.weights && is_extreme(f.pool) && f.elements > piece_elements;
  }
};

void backward_extreme(const Call& call) {
  const SetPoolBackward<float> f(call);
  const SetPieces sets = pieces_of(f);
  Extreme* partials = scratch_of<ExtremeScratch>(call, f).partials;
  const int64_t vectors = ceil_div(f.channels, lanes);
  std::atomic<bool> any_cut{false};
  sets.each(*call.threads, [&](const Piece& piece) {
    std::fill_n(f.dx + piece.begin * f.channels, (piece.end - piece.begin) * f.channels, 0.0f);
    if (piece.begin == piece.end) return;
    if (piece.count > 1) any_cut.store(true, std::memory_order_relaxed);
    const auto found = [&](const Extreme& extreme, int64_t c, int64_t here) {
      if (piece.count > 1) partials[sets.slot(piece) * vectors + c / lanes] = extreme;
      else scatter(extreme, f.dy + piece.set * f.channels + c, f.channels, here, f.dx + c);
    };
    each_extreme(f.pool, f.x, f.channels, piece.begin, piece.end, found);
  });
  if (!any_cut.load(std::memory_order_relaxed)) return;
  sets.each_cut_set(*call.threads, [&](int64_t set, int64_t begin, int64_t size) {
    each_vector(f.channels, [&](int64_t c, int64_t here) {
      const Extreme extreme = extreme_of_pieces(f.pool, sets, begin, size, partials, vectors, c / lanes);
      scatter(extreme, f.dy + set * f.channels + c, f.channels, here, f.dx + c);
    });
  });
}

// y[1..rows) = y[0]: ever longer copies, of at most a few KiB that are still in L1.
void repeat_row(float* y, int64_t columns, int64_t rows) {
  const int64_t most = std::max<int64_t>(1, 2048 / std::max<int64_t>(columns, 1));
  for (int64_t filled = 1, more; filled < rows; filled += more) {
    more = std::min({filled, most, rows - filled});
    std::copy_n(y, more * columns, y + filled * columns);
  }
}

// Every element of a piece gets the set's gradient, or its share.
void backward_sum(const Call& call) {
  const SetPoolBackward<float> f(call);
  const SetPieces sets = pieces_of(f);
  sets.each(*call.threads, [&](const Piece& piece) {
    if (piece.begin == piece.end) return;
    const float* dy = f.dy + piece.set * f.channels;
    float* first = f.dx + piece.begin * f.channels;
    if (f.pool == UPS_POOL_MEAN) divide(dy, f.channels, f.offsets[piece.set + 1] - f.offsets[piece.set], first);
    else copy_row(dy, f.channels, first);
    repeat_row(first, f.channels, piece.end - piece.begin);
  });
}

// The same times the element's weight, and the gradients of the weights.
void backward_weighted(const Call& call) {
  const SetPoolBackward<float> f(call);
  const SetPieces sets = pieces_of(f);
  Threads& threads = *call.threads;
  float* const scales = scratch_of<WeightedScratch>(call, f).scales;
  each_set(threads, f.sets, [&](int64_t set) {
    const float total = total_weight(f.weights, f.offsets[set], f.offsets[set + 1]);
    scales[set] = f.pool == UPS_POOL_MEAN ? mean_scale(total) : 1.0f;
  });
  sets.each(threads, [&](const Piece& piece) {
    const float* dy = f.dy + piece.set * f.channels;
    const float scale = scales[piece.set];
    for (int64_t i = piece.begin; i < piece.end; ++i) {
      if (f.dweights) f.dweights[i] = scale * dot(dy, f.x + i * f.channels, f.channels);
      if (f.dx) multiply_row(dy, scale * f.weights[i], f.channels, f.dx + i * f.channels);
    }
  });
  if (f.dweights && f.pool == UPS_POOL_MEAN)
    each_set(threads, f.sets, [&](int64_t set) {
      float mean = 0.0f;
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) mean += f.weights[i] * f.dweights[i];
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) f.dweights[i] -= scales[set] * mean;
    });
}

ups_status backward(const Call& call) {
  const SetPoolBackward<float> f(call);
  const int64_t first = f.offsets[0], end = f.offsets[f.sets];
  if (f.dx) {
    fill_zero(*call.threads, f.dx, first * f.channels);
    fill_zero(*call.threads, f.dx + end * f.channels, (f.elements - end) * f.channels);
  }
  if (f.dweights) {
    fill_zero(*call.threads, f.dweights, first);
    fill_zero(*call.threads, f.dweights + end, f.elements - end);
  }
  if (f.weights) backward_weighted(call);
  else if (!f.dx) return UPS_OK;
  else if (is_extreme(f.pool)) backward_extreme(call);
  else backward_sum(call);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, SetPoolForwardCall, forward, workspace_of<SetPoolForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, SetPoolBackwardCall, backward,
                workspace_of<SetPoolBackward<float>, WeightedScratch, ExtremeScratch>)

UPS_SIMD_END
