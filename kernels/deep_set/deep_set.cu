// CUDA: layer by layer over all particles, then the segment reductions of common/segments.cu. Here the activations do go
// through the workspace. Floor: 2 N (sum of M_l M_(l-1)) FLOP, or every layer's rows twice through memory.
#include "deep_set/deep_set.h"

#include "common/dense.h"
#include "common/segments.h"
#include "deep_set/deep_set_call.h"

namespace upsilon {
namespace {

template <class T>
Segments segments_of(const DeepSet<T>& f, const float* h) {
  return {f.offsets, nullptr, h, f.last_width(), f.particles, f.sets, f.last_width()};
}

// scale[set]: what a set's sum is multiplied with.
template <int threads>
UPS_KERNEL_LB(threads)
scale_sets(const int32_t* fault, const int32_t* offsets, const float* particle_weights, int64_t sets, bool mean,
           float* scale) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < sets; set += global_threads()) {
    const int64_t begin = offsets[set], end = offsets[set + 1];
    float total = particle_weights ? 0.0f : static_cast<float>(end - begin);
    if (particle_weights)
      for (int64_t i = begin; i < end; ++i) total += particle_weights[i];
    scale[set] = !mean || begin == end ? 1.0f : total == 0.0f ? 0.0f : 1.0f / total;
  }
}

// h[row, :] *= factors[row]
template <int threads>
UPS_KERNEL_LB(threads)
multiply_rows(const int32_t* fault, float* h, const float* factors, int64_t rows, int64_t columns) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < rows * columns; i += global_threads()) h[i] *= factors[i / columns];
}

// Values behind every layer, and the scales of the sets.
struct Scratch {
  float *values[UPS_MLP_MAX_LAYERS] = {}, *scale, *pool_value;
  int32_t* pool_where;

  Scratch(const DeepSet<float>& f, Pieces& pieces) {
    for (int32_t l = 0; l < f.layers; ++l) values[l] = pieces.take<float>(f.particles * f.outputs(l));
    scale = pieces.take<float>(f.sets);
    const int64_t count = segment_floats(segments_of(f, nullptr));
    pool_value = pieces.take<float>(count);
    pool_where = pieces.take<int32_t>(is_extreme(f.pool) ? count : 0);
  }

  void apply_layers(Launcher& launch, int32_t precision, const DeepSet<float>& f) const {
    const float* x = f.x;
    for (int32_t l = 0; l < f.layers; ++l) {
      product_with_weight(launch, precision, x, f.weight[l], f.bias[l], values[l], f.particles, f.inputs(l),
                          f.outputs(l), f.activation[l]);
      x = values[l];
    }
  }
  void find_scales(Launcher& launch, const DeepSet<float>& f) const {
    launch.elements(scale_sets<block_threads>, f.sets, f.offsets, f.particle_weights, f.sets, f.pool == UPS_POOL_MEAN,
                    scale);
  }
};

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)Scratch(DeepSetForward<float>(call), pieces);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const DeepSetForward<float> f(call);
  Pieces pieces(call.workspace);
  const Scratch scratch(f, pieces);
  Launcher launch(call);
  const int64_t width = f.last_width();
  scratch.apply_layers(launch, call.precision, f);
  float* const h = scratch.values[f.layers - 1];
  if (is_extreme(f.pool)) {
    segment_extremes(launch, segments_of(f, h), f.pool == UPS_POOL_MIN, scratch.pool_value, scratch.pool_where, f.y,
                     nullptr);
    return launch.status();
  }
  if (f.particle_weights)
    launch.elements(multiply_rows<block_threads>, f.particles * width, h, f.particle_weights, f.particles, width);
  segment_sums(launch, segments_of(f, h), f.pool == UPS_POOL_MEAN && !f.particle_weights, scratch.pool_value, f.y);
  if (f.pool == UPS_POOL_MEAN && f.particle_weights) {
    scratch.find_scales(launch, f);
    launch.elements(multiply_rows<block_threads>, f.sets * width, f.y, scratch.scale, f.sets, width);
  }
  return launch.status();
}

struct Spread {
  const int32_t* offsets;
  const float *particle_weights, *dy, *h, *scale;
  const int32_t* where;  // the extreme particles, or null
  float *dh, *dparticle_weights;
  int64_t particles, sets, width;
};

// dh of the last layer, and dparticle_weights but for what the divisor of a mean adds: a thread per particle and column,
// and one per particle.
template <int threads>
UPS_KERNEL_LB(threads)
spread(const int32_t* fault, Spread s) {
  if (*fault != 0) return;
  const int64_t elements = s.particles * (s.width + 1);
  for (int64_t at = global_thread(); at < elements; at += global_threads()) {
    const int64_t i = at / (s.width + 1), c = at % (s.width + 1);
    const bool inside = s.sets > 0 && i >= s.offsets[0] && i < s.offsets[s.sets];
    int64_t low = 0, high = s.sets;  // the last set that begins at or before the particle
    while (inside && high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (s.offsets[middle] <= i) low = middle;
      else high = middle;
    }
    const float* const dy = s.dy + low * s.width;
    if (c == s.width) {
      if (!s.dparticle_weights) continue;
      float product = 0.0f;
      if (inside)
        for (int64_t k = 0; k < s.width; ++k) product += dy[k] * s.h[i * s.width + k];
      s.dparticle_weights[i] = inside ? s.scale[low] * product : 0.0f;
      continue;
    }
    float dh = 0.0f;
    if (inside && s.where) dh = s.where[low * s.width + c] == i ? dy[c] : 0.0f;
    else if (inside) dh = dy[c] * (s.particle_weights ? s.scale[low] * s.particle_weights[i] : s.scale[low]);
    s.dh[i * s.width + c] = dh;
  }
}

// What the divisor of a weighted mean adds.
template <int threads>
UPS_KERNEL_LB(threads)
subtract_means(const int32_t* fault, Spread s) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < s.sets; set += global_threads()) {
    float mean = 0.0f;
    for (int64_t i = s.offsets[set]; i < s.offsets[set + 1]; ++i)
      mean += s.particle_weights[i] * s.dparticle_weights[i];
    for (int64_t i = s.offsets[set]; i < s.offsets[set + 1]; ++i) s.dparticle_weights[i] -= s.scale[set] * mean;
  }
}

struct BackwardScratch : Scratch {
  float *dh, *gradient[2];
  int32_t* where;
  DenseScratch dense;

  BackwardScratch(const DeepSetBackward<float>& f, Pieces& pieces) : Scratch(f, pieces) {
    int64_t parts = 0;
    for (int32_t l = 0; l < f.layers; ++l)
      parts = std::max({parts, transposed_product_floats(f.particles, f.outputs(l), f.inputs(l)),
                        slope_floats(f.particles, f.outputs(l))});
    dh = pieces.take<float>(f.particles * f.last_width());
    for (float*& g : gradient) g = pieces.take<float>(f.particles * f.widest_layer());
    where = pieces.take<int32_t>(is_extreme(f.pool) ? f.sets * f.last_width() : 0);
    dense.dz = pieces.take<float>(f.particles * f.widest_layer());
    dense.parts = pieces.take<float>(parts);
  }
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)BackwardScratch(DeepSetBackward<float>(call), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const DeepSetBackward<float> f(call);
  Pieces pieces(call.workspace);
  const BackwardScratch scratch(f, pieces);
  Launcher launch(call);
  scratch.apply_layers(launch, call.precision, f);
  const float* const h = scratch.values[f.layers - 1];
  if (is_extreme(f.pool))
    segment_extremes(launch, segments_of(f, h), f.pool == UPS_POOL_MIN, scratch.pool_value, scratch.pool_where, nullptr,
                     scratch.where);
  else scratch.find_scales(launch, f);
  const Spread gradients{
      f.offsets,  f.particle_weights,  f.dy,        h,      scratch.scale, is_extreme(f.pool) ? scratch.where : nullptr,
      scratch.dh, f.dparticle_weights, f.particles, f.sets, f.last_width()};
  launch.elements(spread<block_threads>, f.particles * (f.last_width() + 1), gradients);
  if (f.dparticle_weights && f.pool == UPS_POOL_MEAN) launch.elements(subtract_means<block_threads>, f.sets, gradients);
  const float* dy = scratch.dh;
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    DenseScratch dense = scratch.dense;
    if (f.activation[l] == UPS_ACTIVATION_NONE) dense.dz = nullptr;  // dy serves
    float* const dx = l == 0 ? f.dx : scratch.gradient[l % 2];
    dense_backward(launch, call.precision,
                   {f.particles, f.inputs(l), f.outputs(l), l == 0 ? f.x : scratch.values[l - 1], f.weight[l],
                    f.bias[l], scratch.values[l], dy, dx, f.dweight[l], f.dbias[l], f.activation[l]},
                   dense);
    dy = dx;
  }
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "deep_set_forward", forward, forward_workspace, deep_set_supports)
UPS_CUDA_VARIANT(backward, "deep_set_backward", backward, backward_workspace, deep_set_backward_supports)

}  // namespace
}  // namespace upsilon
