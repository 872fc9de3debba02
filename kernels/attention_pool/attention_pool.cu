// CUDA. Floor: memory, x once (backward twice, dx once). A warp takes a set, or a piece of 256 rows
// of a longer one, its lanes the features: scores are sums over the lanes, the same in all of them,
// and the softmax is taken as the rows go by, so that x is read once. WorkspaceLayout are joined in
// order. dweight is the product dscores^T x.
#include "attention_pool/attention_pool.h"

#include "attention_pool/attention_pool_call.h"
#include "lib/dense/dense.h"
#include "lib/segments/row_pieces.cuh"

namespace upsilon {
namespace {

constexpr int columns_at_once = 4;  // features that a lane holds in registers
constexpr int piece_rows = 256;

UPS_ON_DEVICE float warp_dot(const float* a, const float* b, int64_t count, int lane) {
  float sum = 0.0f;
  for (int64_t c = lane; c < count; c += 32) sum += a[c] * b[c];
  return ups::warp_sum(sum);
}

UPS_ON_DEVICE float score_of(const AttentionPool<float>& f, int64_t i, int lane) {
  const float product = f.weight ? warp_dot(f.weight, f.x + i * f.features, f.features, lane) : 0.0f;
  return f.scores ? product + f.scores[i] : product;
}

// A softmax whose elements come one after the other: add() gives the new one's exponential, and
// `factor` for what was summed before. exp(-inf) is 0 whatever the largest score.
struct OnlineSoftmax {
  float largest = -INFINITY, total = 0.0f, factor = 1.0f;

  UPS_ON_DEVICE float exponential(float score) const { return expf(score - (largest == -INFINITY ? 0.0f : largest)); }
  UPS_ON_DEVICE float add(float score) {
    const float before = largest;
    largest = score > largest ? score : largest;
    factor = before == largest ? 1.0f : expf(before - largest);
    const float e = exponential(score);
    total = total * factor + e;
    return e;
  }
  UPS_ON_DEVICE float inverse() const { return total == 0.0f ? 0.0f : 1.0f / total; }
  // What the sums of a part, whose largest score is `part_largest`, count in those of the whole.
  UPS_ON_DEVICE float factor_of(float part_largest) const {
    return part_largest == largest ? 1.0f : expf(part_largest - largest);
  }
};

// Of a piece, or joined of a set: its softmax, and backward the sum of its exponentials times dy .
// x.
struct Part {
  float largest, total, product;
};

UPS_HD int64_t item_count(const AttentionPool<float>& f) {
  return f.sets + (f.elements > piece_rows ? (f.elements + piece_rows - 1) / piece_rows : 0);
}
UPS_ON_DEVICE int64_t size_of(const AttentionPool<float>& f, int64_t set) {
  return f.offsets[set + 1] - f.offsets[set];
}
// The item of a set's piece number `piece`: windows of later pieces follow each other.
UPS_ON_DEVICE int64_t item_of(const AttentionPool<float>& f, int64_t set, int64_t piece) {
  return piece == 0 ? set : f.sets + f.offsets[set] / piece_rows + piece;
}

// Calls body(piece, item, lane) in all lanes of a warp for every piece.
template <class Body>
UPS_ON_DEVICE void each_piece(const AttentionPool<float>& f, Body body) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t item = global_thread() / 32; item < item_count(f); item += global_threads() / 32) {
    const RowPiece piece = piece_of_item<piece_rows>(f.offsets, f.sets, item);
    if (piece.row >= 0) body(piece, item, lane);
  }
}

// Joins the parts of a set's pieces; lanes take them in turn.
UPS_ON_DEVICE OnlineSoftmax join_parts(const AttentionPool<float>& f, int64_t set, const Part* parts, int lane,
                                       float* product) {
  const int64_t pieces = (size_of(f, set) + piece_rows - 1) / piece_rows;
  OnlineSoftmax softmax;
  for (int64_t p = lane; p < pieces; p += 32)
    softmax.largest = ups::max(softmax.largest, parts[item_of(f, set, p)].largest);
  softmax.largest = ups::warp_max(softmax.largest);
  float products = 0.0f;
  for (int64_t p = lane; p < pieces; p += 32) {
    const Part& part = parts[item_of(f, set, p)];
    const float factor = softmax.factor_of(part.largest);
    softmax.total += factor * part.total;
    products += factor * part.product;
  }
  softmax.total = ups::warp_sum(softmax.total);
  *product = ups::warp_sum(products);
  return softmax;
}

// The rows of y of whole sets; of a piece its part, and its sums in a row of its own.
template <int threads>
UPS_KERNEL_LB(threads)
pool_pieces(const int32_t* fault, AttentionPoolForward<float> f, Part* parts, float* part_sums) {
  if (*fault != 0) return;
  each_piece(f, [&](const RowPiece& piece, int64_t item, int lane) {
    const bool whole = size_of(f, piece.row) <= piece_rows;
    for (int64_t first = 0; first < f.features; first += columns_at_once * 32) {
      OnlineSoftmax softmax;
      float sums[columns_at_once] = {};
      for (int64_t i = piece.begin; i < piece.end; ++i) {
        const float e = softmax.add(score_of(f, i, lane));
        UPS_UNROLL
        for (int k = 0; k < columns_at_once; ++k) {
          const int64_t c = first + lane + 32 * k;
          if (c < f.features) sums[k] = sums[k] * softmax.factor + e * f.x[i * f.features + c];
        }
      }
      UPS_UNROLL
      for (int k = 0; k < columns_at_once; ++k) {
        const int64_t c = first + lane + 32 * k;
        if (c >= f.features) continue;
        if (whole) f.y[piece.row * f.features + c] = sums[k] * softmax.inverse();
        else part_sums[item * f.features + c] = sums[k];
      }
      if (!whole && lane == 0) parts[item] = {softmax.largest, softmax.total, 0.0f};
    }
  });
}

// The rows of y of the sets that have several pieces.
template <int threads>
UPS_KERNEL_LB(threads)
join_pieces(const int32_t* fault, AttentionPoolForward<float> f, const Part* parts, const float* part_sums) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t strips = (f.features + 31) / 32;
  for (int64_t at = global_thread() / 32; at < f.sets * strips; at += global_threads() / 32) {
    const int64_t set = at / strips, c = at % strips * 32 + lane, size = size_of(f, set);
    if (size <= piece_rows) continue;
    float unused, sum = 0.0f;
    const OnlineSoftmax softmax = join_parts(f, set, parts, lane, &unused);
    if (c >= f.features) continue;
    for (int64_t p = 0; p * piece_rows < size; ++p) {
      const int64_t item = item_of(f, set, p);
      sum += softmax.factor_of(parts[item].largest) * part_sums[item * f.features + c];
    }
    f.y[set * f.features + c] = sum * softmax.inverse();
  }
}

UPS_ON_DEVICE OnlineSoftmax softmax_of(const AttentionPoolBackward<float>& f, const RowPiece& piece, int lane,
                                       float* product) {
  const float* const dy = f.dy + piece.row * f.features;
  OnlineSoftmax softmax;
  float products = 0.0f;
  for (int64_t i = piece.begin; i < piece.end; ++i) {
    const float e = softmax.add(score_of(f, i, lane));
    products = products * softmax.factor + e * warp_dot(dy, f.x + i * f.features, f.features, lane);
  }
  *product = products;
  return softmax;
}

template <int threads>
UPS_KERNEL_LB(threads)
find_parts(const int32_t* fault, AttentionPoolBackward<float> f, Part* parts) {
  if (*fault != 0) return;
  each_piece(f, [&](const RowPiece& piece, int64_t item, int lane) {
    if (size_of(f, piece.row) <= piece_rows) return;
    float product;
    const OnlineSoftmax softmax = softmax_of(f, piece, lane, &product);
    if (lane == 0) parts[item] = {softmax.largest, softmax.total, product};
  });
}

// `dscores` has a number for every element, whether the caller wants it or dweight does; or is
// null.
template <int threads>
UPS_KERNEL_LB(threads)
gradients_of_pieces(const int32_t* fault, AttentionPoolBackward<float> f, const Part* parts, float* dscores) {
  if (*fault != 0) return;
  each_piece(f, [&](const RowPiece& piece, int64_t, int lane) {
    const float* const dy = f.dy + piece.row * f.features;
    float mean;
    const OnlineSoftmax softmax = size_of(f, piece.row) <= piece_rows ? softmax_of(f, piece, lane, &mean)
                                                                      : join_parts(f, piece.row, parts, lane, &mean);
    mean *= softmax.inverse();
    for (int64_t i = piece.begin; i < piece.end; ++i) {
      const float alpha = softmax.exponential(score_of(f, i, lane)) * softmax.inverse();
      const float dscore = alpha * (warp_dot(dy, f.x + i * f.features, f.features, lane) - mean);
      if (dscores && lane == 0) dscores[i] = dscore;
      for (int64_t c = lane; f.dx && c < f.features; c += 32)
        f.dx[i * f.features + c] = f.weight ? alpha * dy[c] + dscore * f.weight[c] : alpha * dy[c];
    }
  });
}

struct ForwardScratch {
  bool cut;  // whether a set may have several pieces
  Part* parts;
  float* sums;

  ForwardScratch(const AttentionPoolForward<float>& f, WorkspaceLayout& workspace)
      : cut(later_windows<piece_rows>(f.elements) > 0), parts(workspace.reserve<Part>(cut ? item_count(f) : 0)),
        sums(workspace.reserve<float>(cut ? item_count(f) * f.features : 0)) {}
};

ups_status forward(const Call& call) {
  const AttentionPoolForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  Launcher launch(call);
  launch.elements(pool_pieces<block_threads>, item_count(f) * 32, f, scratch.parts, scratch.sums);
  if (scratch.cut)
    launch.elements(join_pieces<block_threads>, f.sets * ceil_div(f.features, 32) * 32, f, scratch.parts, scratch.sums);
  return launch.status();
}

struct BackwardScratch {
  bool cut;
  Part* parts;
  float *dscores, *products;

  BackwardScratch(const AttentionPoolBackward<float>& f, WorkspaceLayout& workspace)
      : cut(later_windows<piece_rows>(f.elements) > 0), parts(workspace.reserve<Part>(cut ? item_count(f) : 0)),
        dscores(f.dscores || !f.dweight ? f.dscores : workspace.reserve<float>(f.elements)),
        products(workspace.reserve<float>(f.dweight ? transposed_product_floats(f.elements, 1, f.features) : 0)) {}
};

ups_status backward(const Call& call) {
  const AttentionPoolBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  // Rows outside every set.
  if (f.dx) launch.clear(f.dx, sizeof(float) * static_cast<size_t>(f.elements * f.features));
  if (scratch.dscores) launch.clear(scratch.dscores, sizeof(float) * static_cast<size_t>(f.elements));
  if (scratch.cut) launch.elements(find_parts<block_threads>, item_count(f) * 32, f, scratch.parts);
  launch.elements(gradients_of_pieces<block_threads>, item_count(f) * 32, f, scratch.parts, scratch.dscores);
  if (f.dweight)
    transposed_product(launch, call.precision, scratch.dscores, f.x, scratch.products, f.dweight, f.elements, 1,
                       f.features);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, AttentionPoolForwardCall, forward, workspace_of<AttentionPoolForward<float>, ForwardScratch>)
UPS_CUDA_VARIANT(backward, AttentionPoolBackwardCall, backward,
                 workspace_of<AttentionPoolBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
