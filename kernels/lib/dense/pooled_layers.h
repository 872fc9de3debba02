// Layers over the particles of one set per event and the pooling of their results, as deep_set
// takes them once and multi_deep_set several times: a part of a checked call, as plain numbers and
// pointers, and what a reference needs.
#pragma once
#include "lib/dense/layers_of_row.h"
#include "lib/segments/pool.h"

namespace upsilon {

template <class T>
struct PooledLayers : Layers<T> {
  int64_t particles = 0, sets = 0;
  const T* x = nullptr;
  const int32_t* offsets = nullptr;
  const T* particle_weights = nullptr;  // or null
  int32_t pool = 0;

  PooledLayers() = default;
  PooledLayers(const Layers<T>& of_particle, int64_t particles_, int64_t sets_, const T* x_, const int32_t* offsets_,
               const T* particle_weights_, int32_t pool_)
      : Layers<T>(of_particle), particles(particles_), sets(sets_), x(x_), offsets(offsets_),
        particle_weights(particle_weights_), pool(pool_) {}

  int64_t size(int64_t set) const { return offsets[set + 1] - offsets[set]; }
  T weight_of(int64_t particle) const { return particle_weights ? particle_weights[particle] : T(1); }
  // What the sum over a set is divided by for its mean.
  T total_weight(int64_t set) const { return upsilon::total_weight(particle_weights, offsets[set], offsets[set + 1]); }
};

template <class T>
struct PooledLayersGradients : LayerGradients<T> {
  T *dx = nullptr, *dparticle_weights = nullptr;

  PooledLayersGradients() = default;
  PooledLayersGradients(const LayerGradients<T>& of_layers, T* dx_, T* dparticle_weights_)
      : LayerGradients<T>(of_layers), dx(dx_), dparticle_weights(dparticle_weights_) {}
};

// The layers of one particle at a time: for references.
template <class T>
struct Particle : LayersOfRow<T> {
  using LayersOfRow<T>::LayersOfRow;

  const T* apply(const PooledLayers<T>& f, int64_t particle) const {
    return LayersOfRow<T>::apply(f, f.x + particle * f.inputs(0));
  }
  // From dh, the gradient of this particle's last values, to those of x and the parameters. Comes
  // after apply().
  void add_gradients(const PooledLayers<T>& f, const PooledLayersGradients<T>& to, int64_t particle) const {
    const int64_t at = particle * f.inputs(0);
    LayersOfRow<T>::add_gradients(f, to, f.x + at, to.dx ? to.dx + at : nullptr);
  }
};

template <class T>
void clear_gradients(const PooledLayers<T>& f, const PooledLayersGradients<T>& to) {
  clear_layer_gradients(f, to);
  clear(to.dx, f.particles * f.inputs(0));
  clear(to.dparticle_weights, f.particles);
}

// The extremes of an event, by column, and the particles that have them: the first of equal ones,
// and the first NaN.
template <class T>
struct Extremes {
  T* value;
  int64_t* particle;
  int32_t* kind;  // of which set, where an event has several
  bool any = false;

  Extremes(const PooledLayers<T>& f, WorkspaceLayout& workspace) : Extremes(f.last_width(), workspace) {}
  Extremes(int64_t width, WorkspaceLayout& workspace)
      : value(workspace.reserve<T>(width)), particle(workspace.reserve<int64_t>(width)),
        kind(workspace.reserve<int32_t>(width)) {}

  void take(const PooledLayers<T>& f, const Particle<T>& row, int64_t set, int32_t of_kind = 0) {
    for (int64_t i = f.offsets[set]; i < f.offsets[set + 1]; ++i) {
      const T* h = row.apply(f, i);
      for (int64_t c = 0; c < f.last_width(); ++c) {
        const bool beyond = f.pool == UPS_POOL_MAX ? h[c] > value[c] : h[c] < value[c];
        if (any && (std::isnan(value[c]) || !(beyond || std::isnan(h[c])))) continue;
        value[c] = h[c];
        particle[c] = i;
        kind[c] = of_kind;
      }
      any = true;
    }
  }
};

}  // namespace upsilon
