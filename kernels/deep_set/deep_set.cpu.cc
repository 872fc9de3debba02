// SIMD: chunks of whole sets (or of pieces of large ones) pass through all layers in a worker's scratch, in L1 and L2,
// and only their pooled rows are stored. Floor: 2 N (sum of M_l M_(l-1)) FLOP against the FMA peak, three to four times
// that for backward, which computes the layers again.
#include "deep_set/deep_set.h"
#include "deep_set/deep_set_call.h"

#define UPS_SIMD_SOURCE "deep_set/deep_set.cpu.cc"
#include "common/each_isa.h"
#include "common/activate_rows.simd.h"
#include "common/matmul.simd.h"
#include "common/rows.simd.h"
#include "common/set_pieces.simd.h"
#include "common/sums.simd.h"
#include "common/weight_gradient.simd.h"
#include "common/layers.simd.h"

UPS_SIMD_BEGIN

// Pieces and chunks. Where sets are cut depends on the layers alone. A chunk takes the pieces that begin in a window,
// so it has less than two pieces' rows, and mostly little more than one.
SetPieces pieces_of(const DeepSet<float>& f, int64_t row_floats) {
  const int64_t rows = rows_that_fit(row_floats, 24, 96);
  return {f.offsets, f.sets, rows, rows};
}
int64_t most_rows(const SetPieces& sets) { return 2 * sets.piece_elements; }
// At most so many chunks: known before the offsets are looked at.
int64_t most_chunks(const DeepSet<float>& f, const SetPieces& sets) {
  return ceil_div(f.particles + f.sets, sets.task_elements);
}

struct Range {
  int64_t begin = -1, end = -1;
  bool any_cut = false;
};
Range rows_of(const SetPieces& sets, int64_t task) {
  Range range;
  sets.each_of_task(task, [&](const Piece& piece) {
    if (range.begin < 0) range.begin = piece.begin;
    range.end = piece.end;
    range.any_cut |= piece.count > 1;
  });
  return range;
}

// to[c] = sum over rows of weights[r] h[r, c].
void pool_weighted(const float* h, int64_t width, int64_t rows, const float* weights, float* to) {
  int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) {
    Floats sums[4] = {};
    for (int64_t r = 0; r < rows; ++r) {
      const Floats weight = broadcast(weights[r]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[v] += weight * load(h + r * width + c + v * lanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) store(to + c + v * lanes, sums[v]);
  }
  each_vector(width - c, [&](int64_t rest, int64_t here) {
    Floats sum = zero();
    for (int64_t r = 0; r < rows; ++r) sum += broadcast(weights[r]) * load_some(h + r * width + c + rest, here);
    store_some(to + c + rest, sum, here);
  });
}

void multiply_row(const float* from, float factor, int64_t width, float* to) {
  each_vector(
      width, [&](int64_t c, int64_t here) { store_some(to + c, load_some(from + c, here) * broadcast(factor), here); });
}

struct ForwardScratch {
  SetPieces sets;
  int64_t hidden_floats;
  PackedWeights weights;
  float* hidden;  // per worker: two buffers, layers write into them in turns
  float* partials;  // of cut sets' pieces

  ForwardScratch(const DeepSetForward<float>& f, int32_t workers, Pieces& pieces)
      : sets(pieces_of(f, 2 * f.widest_layer())), hidden_floats(round_up(most_rows(sets) * f.widest_layer(), 16)) {
    weights = reserve_transposed(f, f.layers, pieces);
    hidden = pieces.take<float>(2 * hidden_floats * workers);
    const bool may_cut = f.particles > sets.piece_elements;
    partials = pieces.take<float>(may_cut ? SetPieces::slots(f.particles, sets.piece_elements) * f.last_width() : 0);
  }
};

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)ForwardScratch(DeepSetForward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

template <class Pool>
void forward_with(const Call& call, const DeepSetForward<float>& f) {
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const ForwardScratch scratch(f, threads.count(), pieces);
  const SetPieces& sets = scratch.sets;
  const int64_t width = f.last_width();
  pack_transposed(threads, f, f.layers, scratch.weights);
  std::atomic<bool> any_cut{false};
  threads.run(sets.tasks(), [&](int64_t task, int32_t worker) {
    const Range range = rows_of(sets, task);
    float* const hidden = scratch.hidden + 2 * scratch.hidden_floats * worker;
    const float* h = f.x + range.begin * f.inputs(0);
    if (range.begin < range.end)
      for (int32_t l = 0; l < f.layers; ++l) {
        float* values = hidden + l % 2 * scratch.hidden_floats;
        apply_layer(f, l, scratch.weights, h, range.end - range.begin, values, nullptr);
        h = values;
      }
    if (range.any_cut) any_cut.store(true, std::memory_order_relaxed);
    sets.each_of_task(task, [&](const Piece& piece) {
      float* y = piece.count > 1 ? scratch.partials + sets.slot(piece) * width : f.y + piece.set * width;
      const int64_t rows = piece.end - piece.begin;
      if (rows == 0) return std::fill_n(y, width, 0.0f), void();
      const float* of_piece = h + (piece.begin - range.begin) * width;
      if (f.particle_weights) pool_weighted(of_piece, width, rows, f.particle_weights + piece.begin, y);
      else pool_rows<Pool>(of_piece, width, rows, y);
      if (f.pool == UPS_POOL_MEAN && piece.count == 1) multiply_row(y, f.scale(piece.set), width, y);
    });
  });
  if (!any_cut.load(std::memory_order_relaxed)) return;
  sets.each_cut_set(threads, [&](int64_t set, int64_t begin, int64_t size) {
    const float scale = f.scale(set);
    each_vector(width, [&](int64_t c, int64_t here) {
      const auto partial = [&](int64_t piece) {
        return load_some(scratch.partials + sets.slot_of(begin, piece) * width + c, here);
      };
      Floats pooled = partial(0);
      for (int64_t piece = 1; piece < ceil_div(size, sets.piece_elements); ++piece)
        pooled = Pool::join(pooled, partial(piece));
      store_some(f.y + set * width + c, is_extreme(f.pool) ? pooled : pooled * broadcast(scale), here);
    });
  });
}

ups_status forward(const Call& call) {
  const DeepSetForward<float> f(call);
  with_pool(f.pool, [&]<class Pool>(Pool) { forward_with<Pool>(call, f); });
  return UPS_OK;
}

struct BackwardScratch {
  LayersBackward layers;
  SetPieces sets;
  GroupSums groups;
  float* scales = nullptr;  // of the sets, for means
  Extreme* partials = nullptr;  // of cut sets' pieces, then of the sets, at their first pieces

  BackwardScratch(const DeepSetBackward<float>& f, int32_t workers, Pieces& pieces)
      : layers(f, f.dx != nullptr, is_extreme(f.pool) || f.dparticle_weights, pieces),
        sets(pieces_of(f, layers.row_floats)), groups(most_chunks(f, sets), layers.group_floats, pieces) {
    layers.reserve_workers(f, most_rows(sets), workers, pieces);
    if (f.pool == UPS_POOL_MEAN) scales = pieces.take<float>(f.sets);
    if (is_extreme(f.pool) && f.particles > sets.piece_elements)
      partials = pieces.take<Extreme>(SetPieces::slots(f.particles, sets.piece_elements) * vectors(f));
  }
  static int64_t vectors(const DeepSet<float>& f) { return ceil_div(f.last_width(), lanes); }
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(DeepSetBackward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

// Gradients of the last layer's values for sum and mean: the set's, times the particle's weight and the set's scale.
void spread_piece(const DeepSetBackward<float>& f, const Piece& piece, float scale, float* dh) {
  const int64_t width = f.last_width();
  for (int64_t i = piece.begin; i < piece.end; ++i)
    multiply_row(f.dy + piece.set * width, f.particle_weights ? scale * f.particle_weights[i] : scale, width,
                 dh + (i - piece.begin) * width);
}

// dparticle_weights = scale dy . h; what the divisor of a mean adds comes later.
void weigh_piece(const DeepSetBackward<float>& f, const Piece& piece, float scale, const float* h) {
  const int64_t width = f.last_width();
  const float* dy = f.dy + piece.set * width;
  for (int64_t i = piece.begin; i < piece.end; ++i) {
    Floats sums = zero();
    each_vector(width, [&](int64_t c, int64_t here) {
      sums += load_some(dy + c, here) * load_some(h + (i - piece.begin) * width + c, here);
    });
    f.dparticle_weights[i] = scale * sum(sums);
  }
}

// Finds the extremes of the cut sets, whose pieces lie in several chunks.
template <class Pool>
void find_cut_extremes(Threads& threads, const DeepSetBackward<float>& f, const BackwardScratch& scratch) {
  const SetPieces& sets = scratch.sets;
  const int64_t width = f.last_width(), vectors = BackwardScratch::vectors(f);
  threads.run(sets.tasks(), [&](int64_t task, int32_t worker) {
    const Range range = rows_of(sets, task);
    if (!range.any_cut) return;
    float* own = scratch.layers.own(worker);
    scratch.layers.up(f, f.x + range.begin * f.inputs(0), range.end - range.begin, own);
    const float* h = own + scratch.layers.values[f.layers - 1];
    sets.each_of_task(task, [&](const Piece& piece) {
      if (piece.count == 1) return;
      find_all_extremes<Pool>(h, width, piece.begin - range.begin, piece.end - range.begin,
                              [&](Extreme extreme, int64_t c, int64_t) {
                                extreme.element += broadcast_element(range.begin);
                                scratch.partials[sets.slot(piece) * vectors + c / lanes] = extreme;
                              });
    });
  });
  sets.each_cut_set(threads, [&](int64_t, int64_t begin, int64_t size) {
    for (int64_t v = 0; v < vectors; ++v) {
      Extreme& extreme = scratch.partials[sets.slot_of(begin, 0) * vectors + v];
      for (int64_t piece = 1; piece < ceil_div(size, sets.piece_elements); ++piece) {
        const Extreme& next = scratch.partials[sets.slot_of(begin, piece) * vectors + v];
        extreme.take<Pool>(next.value, next.element);
      }
    }
  });
}

// dh = dy at the extreme elements, 0 elsewhere; rows of h and dh are counted from particle `first` on.
template <class Pool>
void scatter_piece(const DeepSetBackward<float>& f, const BackwardScratch& scratch, const Piece& piece, int64_t first,
                   const float* h, float* dh) {
  const int64_t width = f.last_width(), begin = piece.begin - first, end = piece.end - first;
  const float* dy = f.dy + piece.set * width;
  std::fill_n(dh + begin * width, (end - begin) * width, 0.0f);
  if (begin == end) return;
  if (piece.count == 1)
    return find_all_extremes<Pool>(h, width, begin, end, [&](const Extreme& extreme, int64_t c, int64_t here) {
      scatter(extreme, dy + c, width, here, dh + c);
    });
  const int64_t of_set = scratch.sets.slot_of(f.offsets[piece.set], 0) * BackwardScratch::vectors(f);
  for (int64_t c = 0; c < width; ++c) {
    const int64_t particle = scratch.partials[of_set + c / lanes].element[c % lanes];
    if (particle >= piece.begin && particle < piece.end) dh[(particle - first) * width + c] = dy[c];
  }
}

template <class Pool>
void backward_with(const Call& call, const DeepSetBackward<float>& f) {
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, threads.count(), pieces);
  const LayersBackward& layers = scratch.layers;
  const SetPieces& sets = scratch.sets;
  const int64_t width = f.last_width(), inputs = f.inputs(0), first = f.offsets[0], end = f.offsets[f.sets];
  if (f.dx) {
    fill_zero(threads, f.dx, first * inputs);
    fill_zero(threads, f.dx + end * inputs, (f.particles - end) * inputs);
  }
  if (f.dparticle_weights) {
    fill_zero(threads, f.dparticle_weights, first);
    fill_zero(threads, f.dparticle_weights + end, f.particles - end);
  }
  constexpr int64_t task_sets = 256;
  const auto each_set = [&](auto&& body) {
    threads.run(ceil_div(f.sets, task_sets), [&](int64_t task, int32_t) {
      const int64_t last = std::min(f.sets, (task + 1) * task_sets);
      for (int64_t set = task * task_sets; set < last; ++set) body(set);
    });
  };
  if (scratch.scales) each_set([&](int64_t set) { scratch.scales[set] = f.scale(set); });
  const auto scale_of = [&](const Piece& piece) { return scratch.scales ? scratch.scales[piece.set] : 1.0f; };
  layers.pack(threads, f);
  if constexpr (!std::is_same_v<Pool, Sum>)
    if (scratch.partials) find_cut_extremes<Pool>(threads, f, scratch);

  const int64_t chunks = sets.tasks();
  scratch.groups.run(threads, [&](int64_t chunk, float* sums, int32_t worker) {
    if (chunk >= chunks) return;
    const Range range = rows_of(sets, chunk);
    if (range.begin >= range.end) return;
    float* own = layers.own(worker);
    const float* x = f.x + range.begin * inputs;
    layers.up(f, x, range.end - range.begin, own);
    const float* h = layers.recomputed == f.layers ? own + layers.values[f.layers - 1] : nullptr;
    float* dh = own + layers.gradients[f.layers % 2];
    sets.each_of_task(chunk, [&](const Piece& piece) {
      const int64_t at = (piece.begin - range.begin) * width;
      if constexpr (std::is_same_v<Pool, Sum>) {
        spread_piece(f, piece, scale_of(piece), dh + at);
        if (f.dparticle_weights) weigh_piece(f, piece, scale_of(piece), h + at);
      } else {
        scatter_piece<Pool>(f, scratch, piece, range.begin, h, dh);
      }
    });
    layers.down(f, f, x, dh, range.end - range.begin, f.dx ? f.dx + range.begin * inputs : nullptr, own, sums);
  });
  layers.total(threads, f, f, scratch.groups);

  if (f.dparticle_weights && scratch.scales)
    each_set([&](int64_t set) {
      float mean = 0.0f;
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i)
        mean += f.particle_weights[i] * f.dparticle_weights[i];
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i)
        f.dparticle_weights[i] -= scratch.scales[set] * mean;
    });
}

ups_status backward(const Call& call) {
  const DeepSetBackward<float> f(call);
  with_pool(f.pool, [&]<class Pool>(Pool) { backward_with<Pool>(call, f); });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, "deep_set_forward", forward, forward_workspace, deep_set_supports)
UPS_CPU_VARIANT(backward, "deep_set_backward", backward, backward_workspace, deep_set_backward_supports)

UPS_SIMD_END
