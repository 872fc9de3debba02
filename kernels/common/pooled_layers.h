// Layers over the particles of one set per event and the pooling of their results, as deep_set takes them once and
// multi_deep_set several times: a part of a checked call, as plain numbers and pointers, and what a reference needs.
#pragma once
#include "common/activation.h"
#include "common/kernel.h"
#include "common/layers.h"
#include "set_pool/set_pool_call.h"

namespace upsilon {

template <class T>
struct PooledLayers : Layers<T> {
  int64_t particles = 0, sets = 0;
  const T* x = nullptr;
  const int32_t* offsets = nullptr;
  const T* particle_weights = nullptr;  // or null
  int32_t pool = 0;

  PooledLayers() = default;
  // x, offsets, particle_weights, weight0... are the arguments from `first` on, M0... the dimensions from `first_dim` on.
  PooledLayers(const Call& call, int first, int64_t particles_, int64_t inputs, int64_t sets_, int first_dim,
               const int32_t* activations, int32_t pool_)
      : Layers<T>(call, inputs, first + 3, first_dim, activations), particles(particles_), sets(sets_),
        x(call.data<const T>(first)), offsets(call.data<const int32_t>(first + 1)),
        particle_weights(call.data<const T>(first + 2)), pool(pool_) {}

  int64_t size(int64_t set) const { return offsets[set + 1] - offsets[set]; }
  T weight_of(int64_t particle) const { return particle_weights ? particle_weights[particle] : T(1); }
  // What the sum over a set is divided by for its mean.
  T total_weight(int64_t set) const { return upsilon::total_weight(particle_weights, offsets[set], offsets[set + 1]); }
};

template <class T>
struct PooledLayersGradients : LayerGradients<T> {
  T *dx = nullptr, *dparticle_weights = nullptr;

  PooledLayersGradients() = default;
  // dx, dparticle_weights, dweight0... are the arguments from `first` on.
  PooledLayersGradients(const Call& call, int first)
      : LayerGradients<T>(call, first + 2), dx(call.data<T>(first)), dparticle_weights(call.data<T>(first + 1)) {}
};

// An extreme of weighted elements would have two meanings.
inline bool pooled_layers_are_whole(const Call& call, int first, int32_t pool) {
  return layers_are_whole(call, first + 3) && !(call.given(first + 2) && is_extreme(pool));
}
inline bool pooled_gradients_have_layers(const Call& call, int first, int first_gradient) {
  return gradients_have_layers(call, first + 3, first_gradient + 2) &&
         (call.given(first + 2) || !call.given(first_gradient + 1));
}

// One particle's sums before (z) and values behind (h) the activation of each layer, and gradients: for references.
template <class T>
struct Particle {
  T *z[UPS_MLP_MAX_LAYERS], *h[UPS_MLP_MAX_LAYERS];
  T *dz, *dh;

  Particle(const Layers<T>& f, Pieces& pieces) {
    for (int32_t l = 0; l < f.layers; ++l) {
      z[l] = pieces.take<T>(f.outputs(l));
      h[l] = pieces.take<T>(f.outputs(l));
    }
    dz = pieces.take<T>(f.widest_layer());
    dh = pieces.take<T>(f.widest_layer());
  }

  const T* apply(const PooledLayers<T>& f, int64_t particle) const {
    const T* x = f.x + particle * f.inputs(0);
    for (int32_t l = 0; l < f.layers; ++l) {
      for (int64_t out = 0; out < f.outputs(l); ++out) {
        T sum = f.bias[l] ? f.bias[l][out] : T(0);
        for (int64_t in = 0; in < f.inputs(l); ++in) sum += x[in] * f.weight[l][out * f.inputs(l) + in];
        z[l][out] = sum;
        h[l][out] = activate(sum, f.activation[l]);
      }
      x = h[l];
    }
    return x;
  }

  // From dh, the gradient of this particle's last values, to those of x and the parameters. Comes after apply().
  void add_gradients(const PooledLayers<T>& f, const PooledLayersGradients<T>& to, int64_t particle) const {
    for (int32_t l = f.layers - 1; l >= 0; --l) {
      const int64_t inputs = f.inputs(l);
      const T* below = l > 0 ? h[l - 1] : f.x + particle * inputs;
      for (int64_t out = 0; out < f.outputs(l); ++out) {
        dz[out] = dh[out] * activation_slope(z[l][out], h[l][out], f.activation[l]);
        if (to.dbias[l]) to.dbias[l][out] += dz[out];
        if (to.dweight[l])
          for (int64_t in = 0; in < inputs; ++in) to.dweight[l][out * inputs + in] += dz[out] * below[in];
      }
      T* dbelow = l > 0 ? dh : to.dx ? to.dx + particle * inputs : nullptr;
      if (!dbelow) continue;
      std::fill_n(dbelow, inputs, T(0));
      for (int64_t out = 0; out < f.outputs(l); ++out)
        for (int64_t in = 0; in < inputs; ++in) dbelow[in] += dz[out] * f.weight[l][out * inputs + in];
    }
  }
};

template <class T>
void clear_gradients(const PooledLayers<T>& f, const PooledLayersGradients<T>& to) {
  for (int32_t l = 0; l < f.layers; ++l) {
    clear(to.dweight[l], f.outputs(l) * f.inputs(l));
    clear(to.dbias[l], f.outputs(l));
  }
  clear(to.dx, f.particles * f.inputs(0));
  clear(to.dparticle_weights, f.particles);
}

// The extremes of an event, by column, and the particles that have them: the first of equal ones, and the first NaN.
template <class T>
struct Extremes {
  T* value;
  int64_t* particle;
  int32_t* kind;  // of which set, where an event has several
  bool any = false;

  Extremes(int64_t width, Pieces& pieces)
      : value(pieces.take<T>(width)), particle(pieces.take<int64_t>(width)), kind(pieces.take<int32_t>(width)) {}

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
