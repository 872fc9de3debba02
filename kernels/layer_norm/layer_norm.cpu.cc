// SIMD. Floor: memory, x and y once (backward x, y, dy and dx). A row is read in chunks that stay
// in L1: the chunk's sum, then sums of its deviations from its mean, joined over chunks in float64;
// so only rows beyond the cache come from memory twice, and none whose moments are given.
#include "lib/math/moments.h"
#include "layer_norm/layer_norm.h"
#include "layer_norm/layer_norm_call.h"

#define UPS_SIMD_SOURCE "layer_norm/layer_norm.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/moments.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/elementary.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t chunk_features = 1024;
constexpr int64_t task_floats = 16384;

// Calls body(first, count) for the chunks of a row.
template <class Body>
[[gnu::always_inline]] inline void each_chunk(int64_t features, Body&& body) {
  for (int64_t first = 0; first < features; first += chunk_features)
    body(first, std::min(chunk_features, features - first));
}

// Normalised x is ((x - mean) - rest) scale: the mean in two parts, as large offsets would lose
// digits otherwise.
struct Statistics {
  Floats mean, rest, scale;

  Statistics(double mean_, double variance, float eps) {
    const float most = static_cast<float>(mean_);
    mean = broadcast(most);
    rest = broadcast(static_cast<float>(mean_ - most));
    scale = broadcast(static_cast<float>(1 / std::sqrt(variance + static_cast<double>(eps))));
  }
  static Statistics of(const float* x, int64_t features, float eps) {
    Moments row;
    each_chunk(features, [&](int64_t first, int64_t count) { row.join(moments_of(x + first, count)); });
    return {row.mean, row.variance(), eps};
  }

  [[gnu::always_inline]] Floats normalised(Floats x) const { return ((x - mean) - rest) * scale; }
};

template <class Norm>
[[gnu::always_inline]] inline Floats affine(const Norm& f, Floats normalised, int64_t c, int64_t here) {
  Floats z = normalised;
  if (f.weight) z = z * load_some(f.weight + c, here);
  if (f.bias) z = z + load_some(f.bias + c, here);
  return z;
}

ups_status forward(const Call& call) {
  const LayerNormForward<float> f(call);
  if (f.features == 0) return UPS_OK;
  const int64_t task_rows = std::max<int64_t>(1, task_floats / f.features);
  call.threads->run(ceil_div(f.rows, task_rows), [&](int64_t task, int32_t) {
    const int64_t end = std::min(f.rows, (task + 1) * task_rows);
    for (int64_t row = task * task_rows; row < end; ++row) {
      const float* x = f.x + row * f.features;
      float* y = f.y + row * f.features;
      const double* given = f.moments ? f.moments + 2 * row : nullptr;
      const Statistics s = given ? Statistics(given[0], given[1], f.eps) : Statistics::of(x, f.features, f.eps);
      each_vector(f.features, [&](int64_t c, int64_t here) {
        const Floats z = affine(f, s.normalised(load_some(x + c, here)), c, here);
        store_some(y + c, f.activation == UPS_ACTIVATION_NONE ? z : activate(z, f.activation), here);
      });
    }
  });
  return UPS_OK;
}

// dweight, then dbias.
struct BackwardSums : GroupSums {
  BackwardSums(const LayerNormBackward<float>& f, WorkspaceLayout& workspace)
      : GroupSums(ceil_div(f.rows, chunk_rows), 2 * f.features, workspace) {}
};

void backward_row(const LayerNormBackward<float>& f, int64_t row, float* dweight, float* dbias) {
  const float *x = f.x + row * f.features, *y = f.y + row * f.features, *dy = f.dy + row * f.features;
  const Statistics s = Statistics::of(x, f.features, f.eps);
  const auto dz = [&](Floats normalised, int64_t c, int64_t here) {
    const Floats gradient = load_some(dy + c, here);
    if (f.activation == UPS_ACTIVATION_NONE) return gradient;
    const Floats z = f.activation == UPS_ACTIVATION_GELU ? affine(f, normalised, c, here) : zero();
    return gradient * activation_slope(z, load_some(y + c, here), f.activation);
  };
  float* dx = f.dx ? f.dx + row * f.features : nullptr;
  double sum = 0, along = 0;
  each_chunk(f.features, [&](int64_t first, int64_t count) {
    const Sums sums = sum_two(count, [&](int64_t i, int64_t here, Floats& of_gradient, Floats& of_product) {
      const int64_t c = first + i;
      const Floats normalised = s.normalised(load_some(x + c, here));
      const Floats gradient = dz(normalised, c, here);
      if (f.dweight) store_some(dweight + c, gradient * normalised + load_some(dweight + c, here), here);
      if (f.dbias) store_some(dbias + c, gradient + load_some(dbias + c, here), here);
      // Beyond the row the gradient is 0, whatever x is taken to be there.
      const Floats inner = f.weight ? gradient * load_some(f.weight + c, here) : gradient;
      // Kept for the second pass: computed again it might be rounded otherwise, and no longer
      // cancel with its mean.
      if (dx) store_some(dx + c, inner, here);
      of_gradient += inner;
      of_product = inner * normalised + of_product;
    });
    sum += sums.first;
    along += sums.second;
  });
  if (!dx) return;
  const double size = static_cast<double>(f.features);
  const Floats mean = broadcast(static_cast<float>(sum / size)),
               mean_along = broadcast(static_cast<float>(along / size));
  each_vector(f.features, [&](int64_t c, int64_t here) {
    const Floats normalised = s.normalised(load_some(x + c, here));
    store_some(dx + c, s.scale * (load_some(dx + c, here) - mean - normalised * mean_along), here);
  });
}

ups_status backward(const Call& call) {
  const LayerNormBackward<float> f(call);
  if (f.features == 0) return UPS_OK;
  const auto sums = scratch_of<BackwardSums>(call, f);
  sums.run(*call.threads, [&](int64_t chunk, float* sum, int32_t) {
    const int64_t end = std::min(f.rows, (chunk + 1) * chunk_rows);
    for (int64_t row = chunk * chunk_rows; row < end; ++row) backward_row(f, row, sum, sum + f.features);
  });
  if (f.dweight) sums.total(*call.threads, 0, f.features, f.dweight);
  if (f.dbias) sums.total(*call.threads, f.features, f.features, f.dbias);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, LayerNormForwardCall, forward)
UPS_CPU_VARIANT(backward, LayerNormBackwardCall, backward, workspace_of<LayerNormBackward<float>, BackwardSums>)

UPS_SIMD_END
