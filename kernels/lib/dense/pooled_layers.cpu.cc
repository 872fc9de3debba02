#include <atomic>

#include "lib/dense/pooled_layers.h"

#define UPS_SIMD_SOURCE "lib/dense/pooled_layers.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/pooled_layers.simd.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

// WorkspaceLayout and chunks. Where sets are cut depends on the layers alone. A chunk takes the
// pieces that begin in a window, so it has less than two pieces' rows, and mostly little more than
// one.
SetPieces pieces_of(const PooledLayers<float>& f, int64_t row_floats) {
  const int64_t rows = rows_that_fit(row_floats, 24, 96);
  return {f.offsets, f.sets, rows, rows};
}
int64_t max_rows(const SetPieces& sets) { return 2 * sets.piece_elements; }
// The largest possible number of chunks: known before the offsets are read.
int64_t max_chunks(const PooledLayers<float>& f, const SetPieces& sets) {
  return ceil_div(f.particles + f.sets, sets.task_elements);
}

int64_t vectors_of(const PooledLayers<float>& f) { return ceil_div(f.last_width(), lanes); }

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

// y = the pooled row, times `scale` for a mean, joined with what y holds already.
template <int32_t pool>
void put_row(const float* pooled, int64_t width, bool mean, float scale, bool held, float* y) {
  each_vector(width, [&](int64_t c, int64_t here) {
    Floats value = load_some(pooled + c, here);
    if (mean) value *= broadcast(scale);
    store_some(y + c, held ? joined(pool, load_some(y + c, here), value) : value, here);
  });
}

// Gradients of the last layer's values for sum and mean: the set's, times the particle's weight and
// the set's scale.
void spread_piece(const PooledLayers<float>& f, const PooledGradients& from, const Piece& piece, float scale,
                  float* dh) {
  const int64_t width = f.last_width();
  for (int64_t i = piece.begin; i < piece.end; ++i)
    multiply_row(from.dy + piece.set * from.stride, f.particle_weights ? scale * f.particle_weights[i] : scale, width,
                 dh + (i - piece.begin) * width);
}

// products = scale dy . h; what the divisor of a mean adds comes later.
void weigh_piece(const PooledLayers<float>& f, const PooledGradients& from, const Piece& piece, float scale,
                 const float* h) {
  const int64_t width = f.last_width();
  const float* dy = from.dy + piece.set * from.stride;
  for (int64_t i = piece.begin; i < piece.end; ++i) {
    Floats sums = zero();
    each_vector(width, [&](int64_t c, int64_t here) {
      sums += load_some(dy + c, here) * load_some(h + (i - piece.begin) * width + c, here);
    });
    from.products[i] = scale * sum(sums);
  }
}

// One more list's extreme of a vector of an event's channels.
void share(const PooledLayers<float>& f, const PooledGradients& from, int64_t set, int64_t vector, const Extreme& next,
           bool first) {
  Extreme& extreme = from.shared.extremes[set * from.shared.vectors + vector];
  Ints& list = from.shared.lists[set * from.shared.vectors + vector];
  const Ints own = broadcast_element(from.list);
  if (first) {
    extreme = next;
    list = own;
  } else {
    list = extreme.take(f.pool, next) ? own : list;
  }
}

// dh = dy at the extreme elements, 0 elsewhere; rows of h and dh are counted from particle `first`
// on.
void scatter_piece(const PooledLayers<float>& f, const PooledBackwardScratch& scratch, const PooledGradients& from,
                   const Piece& piece, int64_t first, const float* h, float* dh) {
  const int64_t width = f.last_width(), begin = piece.begin - first, end = piece.end - first;
  const float* dy = from.dy + piece.set * from.stride;
  std::fill_n(dh + begin * width, (end - begin) * width, 0.0f);
  if (begin == end) return;
  const bool shared = from.shared.extremes != nullptr;
  if (piece.count == 1 && !shared)
    return each_extreme(f.pool, h, width, begin, end, [&](const Extreme& extreme, int64_t c, int64_t here) {
      scatter(extreme, dy + c, width, here, dh + c);
    });
  const int64_t vectors = vectors_of(f);
  const Extreme* known = shared ? from.shared.extremes + piece.set * vectors
                                : scratch.partials + scratch.sets.slot_of(f.offsets[piece.set], 0) * vectors;
  for (int64_t c = 0; c < width; ++c) {
    if (shared && from.shared.lists[piece.set * vectors + c / lanes][c % lanes] != from.list) continue;
    const int64_t particle = known[c / lanes].element[c % lanes];
    if (particle >= piece.begin && particle < piece.end) dh[(particle - first) * width + c] = dy[c];
  }
}

}  // namespace

PoolingScratch::PoolingScratch(const PooledLayers<float>& f, int32_t workers, WorkspaceLayout& workspace)
    : sets(pieces_of(f, 2 * f.widest_layer())), hidden_floats(round_up(max_rows(sets) * f.widest_layer(), 16)) {
  weights = reserve_transposed(f, f.layers, workspace);
  hidden = workspace.reserve<float>(2 * hidden_floats * workers);
  const bool may_cut = f.particles > sets.piece_elements;
  partials =
      workspace.reserve<float>(may_cut ? SetPieces::slots(f.particles, sets.piece_elements) * f.last_width() : 0);
}

void pool_layers(Threads& threads, const PooledLayers<float>& f, const PoolingScratch& scratch, const PooledRows& to) {
  const SetPieces& sets = scratch.sets;
  const int64_t width = f.last_width();
  const bool joins = to.earlier.count > 0, mean = f.pool == UPS_POOL_MEAN;
  // The pooled row of a whole set goes where it belongs; it may lie there already.
  const auto put = [&](int64_t set, const float* pooled) {
    const float scale = !mean ? 1.0f : to.scales ? to.scales[set] : mean_scale(f.total_weight(set));
    const auto put_in = f.pool == UPS_POOL_MAX   ? put_row<UPS_POOL_MAX>
                        : f.pool == UPS_POOL_MIN ? put_row<UPS_POOL_MIN>
                                                 : put_row<UPS_POOL_SUM>;
    put_in(pooled, width, mean, scale, to.earlier.hold_any(set), to.y + set * to.stride);
  };
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
    float* const beside = hidden + f.layers % 2 * scratch.hidden_floats;  // the buffer that h is not in
    if (range.any_cut) any_cut.store(true, std::memory_order_relaxed);
    sets.each_of_task(task, [&](const Piece& piece) {
      float* const y = to.y + piece.set * to.stride;
      const int64_t rows = piece.end - piece.begin;
      if (rows == 0 && joins) return;
      if (rows == 0) return std::fill_n(y, width, 0.0f), void();
      float* const pooled = piece.count > 1 ? scratch.partials + sets.slot(piece) * width : joins ? beside : y;
      const float* of_piece = h + (piece.begin - range.begin) * width;
      if (f.particle_weights) pool_weighted(of_piece, width, rows, f.particle_weights + piece.begin, pooled);
      else pool_rows(f.pool, of_piece, width, rows, pooled);
      if (piece.count == 1 && (mean || joins)) put(piece.set, pooled);
    });
  });
  if (!any_cut.load(std::memory_order_relaxed)) return;
  sets.each_cut_set(threads, [&](int64_t set, int64_t begin, int64_t size) {
    float* const pooled = scratch.partials + sets.slot_of(begin, 0) * width;
    pool_pieces(f.pool, sets, begin, size, scratch.partials, width, pooled);
    put(set, pooled);
  });
}

SharedExtremes::SharedExtremes(int64_t sets, int64_t width, WorkspaceLayout& workspace)
    : vectors(ceil_div(width, lanes)) {
  extremes = workspace.reserve<Extreme>(sets * vectors);
  lists = workspace.reserve<Ints>(sets * vectors);
}

PooledBackwardScratch::PooledBackwardScratch(const PooledLayers<float>& f, bool wants_dx, bool wants_products,
                                             int32_t workers, WorkspaceLayout& workspace)
    : layers(f, wants_dx, is_extreme(f.pool) || wants_products, workspace), sets(pieces_of(f, layers.row_floats)),
      groups(max_chunks(f, sets), layers.group_floats, workspace) {
  layers.reserve_workers(f, max_rows(sets), workers, workspace);
  if (is_extreme(f.pool) && f.particles > sets.piece_elements)
    partials = workspace.reserve<Extreme>(SetPieces::slots(f.particles, sets.piece_elements) * vectors_of(f));
}

void find_extremes_first(Threads& threads, const PooledLayers<float>& f, const PooledBackwardScratch& scratch,
                         const PooledGradients& from) {
  const SetPieces& sets = scratch.sets;
  const int64_t width = f.last_width(), vectors = vectors_of(f);
  const bool shared = from.shared.extremes != nullptr;
  scratch.layers.pack(threads, f);
  threads.run(sets.tasks(), [&](int64_t task, int32_t worker) {
    const Range range = rows_of(sets, task);
    if (range.begin >= range.end || !(shared || range.any_cut)) return;
    float* own = scratch.layers.own(worker);
    scratch.layers.up(f, f.x + range.begin * f.inputs(0), range.end - range.begin, own);
    const float* h = own + scratch.layers.values[f.layers - 1];
    sets.each_of_task(task, [&](const Piece& piece) {
      if (piece.begin == piece.end || (piece.count == 1 && !shared)) return;
      const bool first = shared && !from.earlier.hold_any(piece.set);
      each_extreme(f.pool, h, width, piece.begin - range.begin, piece.end - range.begin,
                   [&](Extreme extreme, int64_t c, int64_t) {
                     extreme.element += broadcast_element(range.begin);
                     if (piece.count > 1) scratch.partials[sets.slot(piece) * vectors + c / lanes] = extreme;
                     else share(f, from, piece.set, c / lanes, extreme, first);
                   });
    });
  });
  sets.each_cut_set(threads, [&](int64_t set, int64_t begin, int64_t size) {
    const bool first = shared && !from.earlier.hold_any(set);
    for (int64_t v = 0; v < vectors; ++v) {
      const Extreme extreme = extreme_of_pieces(f.pool, sets, begin, size, scratch.partials, vectors, v);
      if (shared) share(f, from, set, v, extreme, first);
      else scratch.partials[sets.slot_of(begin, 0) * vectors + v] = extreme;
    }
  });
}

void pooled_layers_backward(Threads& threads, const PooledLayers<float>& f, const PooledLayersGradients<float>& to,
                            const PooledBackwardScratch& scratch, const PooledGradients& from) {
  const LayersBackward& layers = scratch.layers;
  const SetPieces& sets = scratch.sets;
  const int64_t width = f.last_width(), inputs = f.inputs(0), first = f.offsets[0], end = f.offsets[f.sets];
  if (to.dx) {
    fill_zero(threads, to.dx, first * inputs);
    fill_zero(threads, to.dx + end * inputs, (f.particles - end) * inputs);
  }
  if (to.dparticle_weights) {
    fill_zero(threads, to.dparticle_weights, first);
    fill_zero(threads, to.dparticle_weights + end, f.particles - end);
  }
  const auto scale_of = [&](const Piece& piece) { return from.scales ? from.scales[piece.set] : 1.0f; };
  if (scratch.partials && !from.shared.extremes) find_extremes_first(threads, f, scratch, from);
  layers.pack(threads, f);

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
      if (!is_extreme(f.pool)) {
        spread_piece(f, from, piece, scale_of(piece), dh + at);
        if (from.products) weigh_piece(f, from, piece, scale_of(piece), h + at);
      } else {
        scatter_piece(f, scratch, from, piece, range.begin, h, dh);
      }
    });
    layers.down(f, to, x, dh, range.end - range.begin, to.dx ? to.dx + range.begin * inputs : nullptr, own, sums);
  });
  layers.total(threads, f, to, scratch.groups);
}

UPS_SIMD_SHARED_END
