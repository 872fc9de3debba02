// Layers over particles and the pooling of their results on the device: in tiles
// (lib/dense/pooled_tiles.h), or where networks are too wide for these layer by layer over all
// particles, through the workspace, and then by the segment reductions of lib/segments/segments.cu.
// And the scales of means, which both take.
#pragma once
#include "lib/dense/dense.h"
#include "lib/dense/pooled_layers.h"
#include "lib/dense/pooled_tiles.h"
#include "lib/segments/segments.h"

namespace upsilon {
namespace {

inline Segments segments_of(const PooledLayers<float>& f, const float* h) {
  return {f.offsets, nullptr, h, f.last_width(), f.particles, f.sets, f.last_width()};
}

// total[set] = the sum of the weights of its particles, on top of what it is already if `more`.
template <int threads>
UPS_KERNEL_LB(threads)
add_weights(const int32_t* fault, const int32_t* offsets, const float* particle_weights, int64_t sets, bool more,
            float* total) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < sets; set += global_threads()) {
    const int64_t begin = offsets[set], end = offsets[set + 1];
    float sum = particle_weights ? 0.0f : static_cast<float>(end - begin);
    if (particle_weights)
      for (int64_t i = begin; i < end; ++i) sum += particle_weights[i];
    total[set] = more ? total[set] + sum : sum;
  }
}

// From the weights of sets to what their sums are multiplied with for a mean.
template <int threads>
UPS_KERNEL_LB(threads)
invert_weights(const int32_t* fault, int64_t sets, float* total) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < sets; set += global_threads())
    total[set] = total[set] == 0.0f ? 0.0f : 1.0f / total[set];
}

// The scales of means over all of these lists of sets.
inline void find_scales(Launcher& launch, const PooledLayers<float>* lists, int32_t count, float* scales) {
  const int64_t sets = lists[0].sets;
  for (int32_t s = 0; s < count; ++s)
    launch.elements(add_weights<block_threads>, sets, lists[s].offsets, lists[s].particle_weights, sets, s > 0, scales);
  launch.elements(invert_weights<block_threads>, sets, sets, scales);
}

// to[row, :] = h[row, :] factors[row]; the two may be the same.
template <int threads>
UPS_KERNEL_LB(threads)
multiply_rows(const int32_t* fault, const float* h, const float* factors, int64_t rows, int64_t columns, float* to) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < rows * columns; i += global_threads()) to[i] = h[i] * factors[i / columns];
}

// Values behind every layer, and what the segment reductions need.
struct LayerPooling {
  float *values[max_layers] = {}, *pool_value = nullptr;
  int32_t* pool_where = nullptr;

  LayerPooling() = default;
  LayerPooling(const PooledLayers<float>& f, WorkspaceLayout& workspace) {
    for (int32_t l = 0; l < f.layers; ++l) values[l] = workspace.reserve<float>(f.particles * f.outputs(l));
    const int64_t count = segment_floats(segments_of(f, nullptr));
    pool_value = workspace.reserve<float>(count);
    pool_where = workspace.reserve<int32_t>(is_extreme(f.pool) ? count : 0);
  }

  float* apply_layers(Launcher& launch, int32_t precision, const PooledLayers<float>& f) const {
    const float* x = f.x;
    for (int32_t l = 0; l < f.layers; ++l) {
      product_with_weight(launch, precision, x, f.weight[l], f.bias[l], values[l], f.particles, f.inputs(l),
                          f.outputs(l), f.activation[l]);
      x = values[l];
    }
    return values[f.layers - 1];
  }

  // Rows of `to` are contiguous.
  void pool(Launcher& launch, int32_t precision, const PooledLayers<float>& f, const PooledRows& to) const {
    const int64_t width = f.last_width();
    float* const h = apply_layers(launch, precision, f);
    if (is_extreme(f.pool))
      return segment_extremes(launch, segments_of(f, h), f.pool == UPS_POOL_MIN, pool_value, pool_where, to.y,
                              to.where);
    if (f.particle_weights)
      launch.elements(multiply_rows<block_threads>, f.particles * width, h, f.particle_weights, f.particles, width, h);
    segment_sums(launch, segments_of(f, h), f.pool == UPS_POOL_MEAN && !to.scales, pool_value, to.y);
    if (to.scales) launch.elements(multiply_rows<block_threads>, f.sets * width, to.y, to.scales, f.sets, width, to.y);
  }
};

struct PoolingScratch {
  bool in_tiles;
  TilePooling tiles;
  LayerPooling layers;

  PoolingScratch(const PooledLayers<float>& f, WorkspaceLayout& workspace) : in_tiles(tiles_hold(f)) {
    if (in_tiles) tiles = TilePooling(f, workspace);
    else layers = LayerPooling(f, workspace);
  }
  // With `scales` where it is a mean that is weighted, or goes over several lists. Rows are
  // contiguous if not in tiles.
  void pool(Launcher& launch, int32_t precision, const PooledLayers<float>& f, const PooledRows& to) const {
    if (in_tiles) tiles.pool(launch, precision, f, to);
    else layers.pool(launch, precision, f, to);
  }
};

// The inputs of the gradients, and where those of the last layer go.
struct Spread {
  const int32_t* offsets;
  const float *particle_weights, *dy, *h, *scale;  // scale: null where sums are not scaled
  const int32_t* where;  // the extreme particles, or null
  float *dh, *products;  // products: scale dy . h of each particle; either may be null
  int64_t particles, sets, width, stride;
};

// dh of the last layer, and the products: a thread per particle and column, and one per particle.
template <int threads>
UPS_KERNEL_LB(threads)
spread_sets(const int32_t* fault, Spread s) {
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
    const float* const dy = s.dy + low * s.stride;
    const float scale = inside && s.scale ? s.scale[low] : 1.0f;
    if (c == s.width) {
      if (!s.products) continue;
      float product = 0.0f;
      if (inside)
        for (int64_t k = 0; k < s.width; ++k) product += dy[k] * s.h[i * s.width + k];
      s.products[i] = inside ? scale * product : 0.0f;
      continue;
    }
    if (!s.dh) continue;
    float dh = 0.0f;
    if (inside && s.where) dh = s.where[low * s.width + c] == i ? dy[c] : 0.0f;
    else if (inside) dh = dy[c] * (s.particle_weights ? scale * s.particle_weights[i] : scale);
    s.dh[i * s.width + c] = dh;
  }
}

struct LayerGradientsScratch {
  float *dh = nullptr, *gradient[2] = {};
  DenseScratch dense;

  LayerGradientsScratch() = default;
  LayerGradientsScratch(const PooledLayers<float>& f, WorkspaceLayout& workspace) {
    int64_t parts = 0;
    for (int32_t l = 0; l < f.layers; ++l)
      parts = std::max({parts, transposed_product_floats(f.particles, f.outputs(l), f.inputs(l)),
                        slope_floats(f.particles, f.outputs(l))});
    dh = workspace.reserve<float>(f.particles * f.last_width());
    for (float*& g : gradient) g = workspace.reserve<float>(f.particles * f.widest_layer());
    dense.dz = workspace.reserve<float>(f.particles * f.widest_layer());
    dense.parts = workspace.reserve<float>(parts);
  }

  // The layers' values are there already.
  void backward(Launcher& launch, int32_t precision, const PooledLayers<float>& f,
                const PooledLayersGradients<float>& to, const PooledGradients& from, float* const* values) const {
    launch.elements(spread_sets<block_threads>, f.particles * (f.last_width() + 1),
                    Spread{f.offsets, f.particle_weights, from.dy, values[f.layers - 1], from.scales, from.where, dh,
                           from.products, f.particles, f.sets, f.last_width(), from.stride});
    const float* dy = dh;
    for (int32_t l = f.layers - 1; l >= 0; --l) {
      DenseScratch of_layer = dense;
      if (f.activation[l] == UPS_ACTIVATION_NONE) of_layer.dz = nullptr;  // dy serves
      float* const dx = l == 0 ? to.dx : gradient[l % 2];
      dense_backward(launch, precision,
                     {f.particles, f.inputs(l), f.outputs(l), l == 0 ? f.x : values[l - 1], f.weight[l], f.bias[l],
                      values[l], dy, dx, to.dweight[l], to.dbias[l], f.activation[l]},
                     of_layer);
      dy = dx;
    }
  }
};

struct PooledBackwardScratch {
  bool in_tiles;
  TilePooling tile_pooling;  // for extremes
  TileGradients tiles;
  LayerPooling layer_pooling;
  LayerGradientsScratch layers;
  bool values_are_there = false;

  PooledBackwardScratch(const PooledLayers<float>& f, WorkspaceLayout& workspace) : in_tiles(tiles_hold_backward(f)) {
    if (in_tiles) {
      if (is_extreme(f.pool)) tile_pooling = TilePooling(f, workspace);
      tiles = TileGradients(f, workspace);
    } else {
      layer_pooling = LayerPooling(f, workspace);
      layers = LayerGradientsScratch(f, workspace);
    }
  }

  // The particles that have the extremes, and these themselves unless `y` is null. In tiles the
  // layers are computed for them and once more for the gradients, which is cheaper than to keep
  // them.
  void find_extremes(Launcher& launch, int32_t precision, const PooledLayers<float>& f, int32_t* where,
                     float* y = nullptr) {
    const PooledRows to{y, f.last_width(), nullptr, where};
    if (in_tiles) tile_pooling.pool(launch, precision, f, to);
    else layer_pooling.pool(launch, precision, f, to);
    values_are_there = true;
  }

  // From from.dy to the gradients of the layers and of x.
  void backward(Launcher& launch, int32_t precision, const PooledLayers<float>& f,
                const PooledLayersGradients<float>& to, const PooledGradients& from) {
    if (in_tiles) return tiles.backward(launch, precision, f, to, from);
    if (!values_are_there) layer_pooling.apply_layers(launch, precision, f);
    layers.backward(launch, precision, f, to, from, layer_pooling.values);
  }
};

// One list of sets of a mean: its weights, dy . h of its particles, and the gradients of its
// weights or null.
struct WeightedList {
  const int32_t* offsets;
  const float *particle_weights, *products;
  float* dparticle_weights;
};
template <int most>
struct WeightedLists {
  WeightedList list[most];
  int32_t count;
};

// What the divisor of a weighted mean over all lists adds to the gradients of their weights.
template <int threads, int most>
UPS_KERNEL_LB(threads)
subtract_means(const int32_t* fault, WeightedLists<most> lists, const float* scale, int64_t sets) {
  if (*fault != 0) return;
  for (int64_t set = global_thread(); set < sets; set += global_threads()) {
    float mean = 0.0f;
    for (int32_t s = 0; s < lists.count; ++s) {
      const WeightedList& list = lists.list[s];
      for (int64_t i = list.offsets[set]; i < list.offsets[set + 1]; ++i)
        mean += list.particle_weights ? list.particle_weights[i] * list.products[i] : list.products[i];
    }
    for (int32_t s = 0; s < lists.count; ++s) {
      const WeightedList& list = lists.list[s];
      if (!list.dparticle_weights) continue;
      for (int64_t i = list.offsets[set]; i < list.offsets[set + 1]; ++i)
        list.dparticle_weights[i] -= scale[set] * mean;
    }
  }
}

}  // namespace
}  // namespace upsilon
