// SIMD. Floor: memory, 4 F bytes for each element (backward 12), and 4 F FLOP; in cache the loads.
// A block of as many rows as a vector has lanes gets its scores, then their exponentials at once,
// then enters the sums, which are rescaled where a block has a larger score (the online softmax of
// Milakov and Gimelshein, arXiv:1805.02867). WorkspaceLayout of large sets do the same by
// themselves and are joined in order.
#include <atomic>

#include "attention_pool/attention_pool.h"
#include "attention_pool/attention_pool_call.h"

#define UPS_SIMD_SOURCE "attention_pool/attention_pool.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/softmax.simd.h"
#include "lib/segments/set_pieces.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/elementary.simd.h"
#include "lib/simd/rows.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t piece_elements = 256;

SetPieces pieces_of(const AttentionPool<float>& f) { return {f.offsets, f.sets, piece_elements, piece_elements}; }
int64_t slots_of(const AttentionPool<float>& f) {
  return f.elements > piece_elements ? SetPieces::slots(f.elements, piece_elements) : 0;
}

float exp_of(float x) { return exp(broadcast(x))[0]; }
// What is subtracted from the scores: the largest, unless there is none.
float base_of(float largest) { return largest == -INFINITY ? 0.0f : largest; }
// The factor for sums of exponentials that go from one largest score to another.
float rescaling(float before, float now) { return before == now ? 1.0f : exp_of(before - now); }
float inverse(float total) { return total == 0.0f ? 0.0f : 1.0f / total; }

float score_of(const AttentionPool<float>& f, int64_t i) {
  const float product = f.weight ? dot(f.weight, f.x + i * f.features, f.features) : 0.0f;
  return f.scores ? product + f.scores[i] : product;
}

// to = factor to + sum over `rows` rows of weights[r] x[r], `strip` vectors of columns at a time.
void add_weighted_rows(const float* x, int64_t features, int64_t rows, const float* weights, float factor, float* to) {
  int64_t c = 0;
  for (; c + 4 * lanes <= features; c += 4 * lanes) {
    Floats sums[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sums[v] = load(to + c + v * lanes) * broadcast(factor);
    for (int64_t r = 0; r < rows; ++r) {
      const Floats weight = broadcast(weights[r]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[v] += weight * load(x + r * features + c + v * lanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) store(to + c + v * lanes, sums[v]);
  }
  each_vector(features - c, [&](int64_t rest, int64_t here) {
    Floats sum = load_some(to + c + rest, here) * broadcast(factor);
    for (int64_t r = 0; r < rows; ++r) sum += broadcast(weights[r]) * load_some(x + r * features + c + rest, here);
    store_some(to + c + rest, sum, here);
  });
}

void scale_row(float* row, int64_t features, float factor) {
  each_vector(features, [&](int64_t c, int64_t here) {
    store_some(row + c, load_some(row + c, here) * broadcast(factor), here);
  });
}

struct Softmax {
  float largest = -INFINITY, total = 0.0f;
};

// sums = the rows of a piece, each times the exponential of its score over the largest one.
Softmax sum_piece(const AttentionPool<float>& f, const Piece& piece, float* sums) {
  Softmax softmax;
  std::fill_n(sums, f.features, 0.0f);
  for (int64_t first = piece.begin; first < piece.end; first += lanes) {
    const int64_t rows = std::min<int64_t>(lanes, piece.end - first);
    float weights[lanes];
    float largest = softmax.largest;
    for (int64_t r = 0; r < rows; ++r) largest = larger(weights[r] = score_of(f, first + r), largest);
    const float factor = rescaling(softmax.largest, largest);
    for (int64_t r = rows; r < lanes; ++r) weights[r] = -INFINITY;
    const Floats exponentials = exp(load(weights) - broadcast(base_of(largest)));
    store(weights, exponentials);
    add_weighted_rows(f.x + first * f.features, f.features, rows, weights, factor, sums);
    softmax = {largest, softmax.total * factor + sum_pairwise(exponentials)};
  }
  return softmax;
}

// Of the pieces of cut sets: the sums, then the largest score and the total.
struct ForwardScratch {
  float* partials;
  ForwardScratch(const AttentionPool<float>& f, WorkspaceLayout& workspace)
      : partials(workspace.reserve<float>(slots_of(f) * (f.features + 2))) {}
};

ups_status forward(const Call& call) {
  const AttentionPoolForward<float> f(call);
  const SetPieces sets = pieces_of(f);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  const int64_t floats = f.features + 2;
  std::atomic<bool> any_cut{false};
  sets.each(*call.threads, [&](const Piece& piece) {
    float* const y = f.y + piece.set * f.features;
    if (piece.count == 1) return scale_row(y, f.features, inverse(sum_piece(f, piece, y).total));
    any_cut.store(true, std::memory_order_relaxed);
    float* const partial = scratch.partials + sets.slot(piece) * floats;
    const Softmax softmax = sum_piece(f, piece, partial);
    partial[f.features] = softmax.largest;
    partial[f.features + 1] = softmax.total;
  });
  if (!any_cut.load(std::memory_order_relaxed)) return UPS_OK;
  sets.each_cut_set(*call.threads, [&](int64_t set, int64_t begin, int64_t size) {
    const int64_t count = ceil_div(size, piece_elements);
    const auto partial = [&](int64_t piece) { return scratch.partials + sets.slot_of(begin, piece) * floats; };
    float* const y = f.y + set * f.features;
    float largest = -INFINITY, total = 0.0f;
    for (int64_t p = 0; p < count; ++p) largest = larger(partial(p)[f.features], largest);
    std::fill_n(y, f.features, 0.0f);
    for (int64_t p = 0; p < count; ++p) {
      const float factor = rescaling(partial(p)[f.features], largest);
      add_weighted_rows(partial(p), f.features, 1, &factor, 1.0f, y);
      total += factor * partial(p)[f.features + 1];
    }
    scale_row(y, f.features, inverse(total));
  });
  return UPS_OK;
}

// A set's softmax and the mean of dy . x under it; of a piece before the sums are divided.
struct Statistics {
  float largest, total, mean;
};

struct BackwardScratch {
  GroupSums groups;
  float* own;  // per worker: a score and dy . x for each row of a piece
  Statistics* partials;  // of the pieces of cut sets, then of the sets, at their first pieces

  BackwardScratch(const AttentionPoolBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : groups(ceil_div(f.elements + f.sets, piece_elements), f.dweight ? f.features : 0, workspace),
        own(workspace.reserve<float>(2 * piece_elements * workers)),
        partials(workspace.reserve<Statistics>(slots_of(f))) {}
};

// scores and products (dy . x) of a piece's rows, and its sums.
Statistics look_at_piece(const AttentionPoolBackward<float>& f, const Piece& piece, float* scores, float* products) {
  const float* dy = f.dy + piece.set * f.features;
  const int64_t rows = piece.end - piece.begin;
  float largest = -INFINITY;
  for (int64_t r = 0; r < rows; ++r) {
    scores[r] = score_of(f, piece.begin + r);
    products[r] = dot(dy, f.x + (piece.begin + r) * f.features, f.features);
    largest = larger(scores[r], largest);
  }
  Floats total = zero(), mean = zero();
  each_vector(rows, [&](int64_t r, int64_t here) {
    Floats e = exp(load_some(scores + r, here) - broadcast(base_of(largest)));
    if (here < lanes) e = first_or(e, zero(), here);
    total += e;
    mean += e * load_some(products + r, here);
  });
  return {largest, sum_pairwise(total), sum_pairwise(mean)};
}

// From the set's statistics to the gradients of a piece's rows; `scores` and `products` become
// weights and dscores.
void finish_piece(const AttentionPoolBackward<float>& f, const Piece& piece, const Statistics& set, float* scores,
                  float* products, float* dweight) {
  const int64_t rows = piece.end - piece.begin;
  const float scale = inverse(set.total), mean = set.mean * scale;
  each_vector(rows, [&](int64_t r, int64_t here) {
    const Floats e = exp(load_some(scores + r, here) - broadcast(base_of(set.largest)));
    const Floats alpha = e * broadcast(scale);
    store_some(products + r, alpha * (load_some(products + r, here) - broadcast(mean)), here);
    store_some(scores + r, alpha, here);
  });
  if (f.dscores) std::copy_n(products, rows, f.dscores + piece.begin);
  if (f.dweight) add_weighted_rows(f.x + piece.begin * f.features, f.features, rows, products, 1.0f, dweight);
  const float* dy = f.dy + piece.set * f.features;
  for (int64_t r = 0; f.dx && r < rows; ++r) {
    float* const dx = f.dx + (piece.begin + r) * f.features;
    each_vector(f.features, [&](int64_t c, int64_t here) {
      Floats gradient = broadcast(scores[r]) * load_some(dy + c, here);
      if (f.weight) gradient += broadcast(products[r]) * load_some(f.weight + c, here);
      store_some(dx + c, gradient, here);
    });
  }
}

ups_status backward(const Call& call) {
  const AttentionPoolBackward<float> f(call);
  Threads& threads = *call.threads;
  const SetPieces sets = pieces_of(f);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const int64_t first = f.offsets[0], end = f.offsets[f.sets];
  if (f.dx) {
    fill_zero(threads, f.dx, first * f.features);
    fill_zero(threads, f.dx + end * f.features, (f.elements - end) * f.features);
  }
  if (f.dscores) {
    fill_zero(threads, f.dscores, first);
    fill_zero(threads, f.dscores + end, f.elements - end);
  }
  const auto own = [&](int32_t worker) { return scratch.own + 2 * piece_elements * worker; };
  if (f.elements > piece_elements) {
    threads.run(sets.tasks(), [&](int64_t task, int32_t worker) {
      sets.each_of_task(task, [&](const Piece& piece) {
        if (piece.count > 1)
          scratch.partials[sets.slot(piece)] = look_at_piece(f, piece, own(worker), own(worker) + piece_elements);
      });
    });
    sets.each_cut_set(threads, [&](int64_t, int64_t begin, int64_t size) {
      const int64_t count = ceil_div(size, piece_elements);
      const auto partial = [&](int64_t piece) -> Statistics& { return scratch.partials[sets.slot_of(begin, piece)]; };
      Statistics all{-INFINITY, 0.0f, 0.0f};
      for (int64_t p = 0; p < count; ++p) all.largest = larger(partial(p).largest, all.largest);
      for (int64_t p = 0; p < count; ++p) {
        const float factor = rescaling(partial(p).largest, all.largest);
        all.total += factor * partial(p).total;
        all.mean += factor * partial(p).mean;
      }
      partial(0) = all;
    });
  }
  const int64_t tasks = sets.tasks();
  scratch.groups.run(threads, [&](int64_t task, float* dweight, int32_t worker) {
    if (task >= tasks) return;
    float *const scores = own(worker), *const products = scores + piece_elements;
    sets.each_of_task(task, [&](const Piece& piece) {
      const Statistics here = look_at_piece(f, piece, scores, products);
      const Statistics& set = piece.count == 1 ? here : scratch.partials[sets.slot_of(f.offsets[piece.set], 0)];
      finish_piece(f, piece, set, scores, products, dweight);
    });
  });
  if (f.dweight) scratch.groups.total(threads, 0, f.features, f.dweight);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, AttentionPoolForwardCall, forward, workspace_of<AttentionPoolForward<float>, ForwardScratch>)
UPS_CPU_VARIANT(backward, AttentionPoolBackwardCall, backward,
                workspace_of<AttentionPoolBackward<float>, BackwardScratch>)

UPS_SIMD_END
