// CUDA. Floor: memory, x once (backward twice, dx once). A warp takes a set, its lanes the features: scores are sums over
// the lanes, the same in all of them, and the softmax is taken as the rows go by, so that x is read once. dweight is the
// product dscores^T x.
#include "attention_pool/attention_pool.h"

#include "attention_pool/attention_pool_call.h"
#include "common/dense.h"

namespace upsilon {
namespace {

constexpr int columns_at_once = 4;  // features that a lane holds in registers

UPS_ON_DEVICE float warp_dot(const float* a, const float* b, int64_t count, int lane) {
  float sum = 0.0f;
  for (int64_t c = lane; c < count; c += 32) sum += a[c] * b[c];
  return ups::warp_sum(sum);
}

UPS_ON_DEVICE float score_of(const AttentionPool<float>& f, int64_t i, int lane) {
  const float product = f.weight ? warp_dot(f.weight, f.x + i * f.features, f.features, lane) : 0.0f;
  return f.scores ? product + f.scores[i] : product;
}

// A softmax whose elements come one after the other: add() gives the new one's exponential, and `factor` for what was
// summed before. exp(-inf) is 0 whatever the largest score.
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
};

template <int threads>
UPS_KERNEL_LB(threads)
pool_sets(const int32_t* fault, AttentionPoolForward<float> f) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t set = global_thread() / 32; set < f.sets; set += global_threads() / 32)
    for (int64_t first = 0; first < f.features; first += columns_at_once * 32) {
      OnlineSoftmax softmax;
      float sums[columns_at_once] = {};
      for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) {
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
        if (c < f.features) f.y[set * f.features + c] = sums[k] * softmax.inverse();
      }
    }
}

// `dscores` has a number for every element, whether the caller wants it or dweight does; or is null.
template <int threads>
UPS_KERNEL_LB(threads)
gradients_of_sets(const int32_t* fault, AttentionPoolBackward<float> f, float* dscores) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t set = global_thread() / 32; set < f.sets; set += global_threads() / 32) {
    const float* const dy = f.dy + set * f.features;
    OnlineSoftmax softmax;
    float mean = 0.0f;
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) {
      const float e = softmax.add(score_of(f, i, lane));
      mean = mean * softmax.factor + e * warp_dot(dy, f.x + i * f.features, f.features, lane);
    }
    mean *= softmax.inverse();
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) {
      const float alpha = softmax.exponential(score_of(f, i, lane)) * softmax.inverse();
      const float dscore = alpha * (warp_dot(dy, f.x + i * f.features, f.features, lane) - mean);
      if (dscores && lane == 0) dscores[i] = dscore;
      for (int64_t c = lane; f.dx && c < f.features; c += 32)
        f.dx[i * f.features + c] = f.weight ? alpha * dy[c] + dscore * f.weight[c] : alpha * dy[c];
    }
  }
}

ups_status forward(const Call& call) {
  const AttentionPoolForward<float> f(call);
  Launcher launch(call);
  launch.elements(pool_sets<block_threads>, f.sets * 32, f);
  return launch.status();
}

struct BackwardScratch {
  float *dscores, *parts;

  BackwardScratch(const AttentionPoolBackward<float>& f, Pieces& pieces)
      : dscores(f.dscores || !f.dweight ? f.dscores : pieces.take<float>(f.elements)),
        parts(pieces.take<float>(f.dweight ? transposed_product_floats(f.elements, 1, f.features) : 0)) {}
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(AttentionPoolBackward<float>(call), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const AttentionPoolBackward<float> f(call);
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, pieces);
  Launcher launch(call);
  // Rows outside every set.
  if (f.dx) launch.clear(f.dx, sizeof(float) * static_cast<size_t>(f.elements * f.features));
  if (scratch.dscores) launch.clear(scratch.dscores, sizeof(float) * static_cast<size_t>(f.elements));
  launch.elements(gradients_of_sets<block_threads>, f.sets * 32, f, scratch.dscores);
  if (f.dweight)
    transposed_product(launch, call.precision, scratch.dscores, f.x, scratch.parts, f.dweight, f.elements, 1,
                       f.features);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "attention_pool_forward", forward)
UPS_CUDA_VARIANT(backward, "attention_pool_backward", backward, backward_workspace, attention_pool_backward_supports)

}  // namespace
}  // namespace upsilon
