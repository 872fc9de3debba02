// Reference: the definition, in plain loops.
#include "attention_pool/attention_pool.h"

#include "core/validity.h"
#include <limits>

#include "attention_pool/attention_pool_call.h"
#include "lib/kernel.h"

namespace upsilon {
namespace {

// The softmax of one set.
template <class T>
struct Attention {
  const AttentionPool<T>& f;
  T base = 0, total = 0;

  Attention(const AttentionPool<T>& f_, int64_t set) : f(f_) {
    T largest = -std::numeric_limits<T>::infinity();
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i)
      if (score(i) > largest) largest = score(i);
    base = std::isinf(largest) && largest < 0 ? T(0) : largest;
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) total += std::exp(score(i) - base);
  }
  T score(int64_t i) const {
    T sum(0);
    for (int64_t c = 0; f.weight && c < f.features; ++c) sum += f.weight[c] * f.x[i * f.features + c];
    return f.scores ? sum + f.scores[i] : sum;
  }
  T alpha(int64_t i) const { return total == T(0) ? T(0) : std::exp(score(i) - base) / total; }
};

template <class T>
ups_status forward_reference(const Call& call) {
  const AttentionPoolForward<T> f(call);
  for (int64_t set = 0; set < f.sets; ++set) {
    T* y = f.y + set * f.features;
    std::fill_n(y, f.features, T(0));
    const Attention<T> attention(f, set);
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) {
      const T alpha = attention.alpha(i);
      for (int64_t c = 0; c < f.features; ++c) y[c] += alpha * f.x[i * f.features + c];
    }
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const AttentionPoolBackward<T> f(call);
  clear(f.dx, f.elements * f.features);
  clear(f.dweight, f.features);
  clear(f.dscores, f.elements);
  for (int64_t set = 0; set < f.sets; ++set) {
    const T* dy = f.dy + set * f.features;
    const Attention<T> attention(f, set);
    const auto product = [&](int64_t i) {
      T sum(0);
      for (int64_t c = 0; c < f.features; ++c) sum += dy[c] * f.x[i * f.features + c];
      return sum;
    };
    T mean(0);
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) mean += attention.alpha(i) * product(i);
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) {
      const T alpha = attention.alpha(i), dscore = alpha * (product(i) - mean);
      if (f.dscores) f.dscores[i] = dscore;
      for (int64_t c = 0; c < f.features; ++c) {
        if (f.dx) f.dx[i * f.features + c] = alpha * dy[c] + (f.weight ? dscore * f.weight[c] : T(0));
        if (f.dweight) f.dweight[c] += dscore * f.x[i * f.features + c];
      }
    }
  }
  return UPS_OK;
}

void validate(const AttentionPoolBackwardCall&, RefusalOf<AttentionPoolBackwardCall>& refuse) {
  refuse.given_without("dweight", "weight");
  refuse.given_without("dscores", "scores");
}

const OperationOf<AttentionPoolForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<AttentionPoolBackwardCall> backward{
    {backward_reference<float>}, {backward_reference<double>}, validated_by<validate>};

}  // namespace
}  // namespace upsilon

ups_status ups_attention_pool_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                      const ups_tensor* weight, const ups_tensor* scores, ups_tensor* y) noexcept {
  return upsilon::call(context, upsilon::forward, {x, offsets, weight, scores, y}, nullptr);
}

ups_status ups_attention_pool_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                       const ups_tensor* weight, const ups_tensor* scores, const ups_tensor* dy,
                                       ups_tensor* dx, ups_tensor* dweight, ups_tensor* dscores) noexcept {
  return upsilon::call(context, upsilon::backward, {x, offsets, weight, scores, dy, dx, dweight, dscores}, nullptr);
}
