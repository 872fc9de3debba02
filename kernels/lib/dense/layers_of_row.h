// Layers in plain loops, one row at a time: what references compute with.
#pragma once
#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "lib/dense/layers.h"

namespace upsilon {

// One row's sums before (z) and values behind (h) the activation of each layer, and gradients.
template <class T>
struct LayersOfRow {
  T *z[max_layers], *h[max_layers];
  T *dz, *dh;

  LayersOfRow(const Layers<T>& f, WorkspaceLayout& workspace) {
    for (int32_t l = 0; l < f.layers; ++l) {
      z[l] = workspace.reserve<T>(f.outputs(l));
      h[l] = workspace.reserve<T>(f.outputs(l));
    }
    dz = workspace.reserve<T>(f.widest_layer());
    dh = workspace.reserve<T>(f.widest_layer());
  }

  const T* apply(const Layers<T>& f, const T* x) const {
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

  // From dh, the gradient of the row's last values, to those of x (unless dx is null) and the
  // parameters, which are added to what is there. Comes after apply().
  void add_gradients(const Layers<T>& f, const LayerGradients<T>& to, const T* x, T* dx) const {
    for (int32_t l = f.layers - 1; l >= 0; --l) {
      const int64_t inputs = f.inputs(l);
      const T* below = l > 0 ? h[l - 1] : x;
      for (int64_t out = 0; out < f.outputs(l); ++out) {
        dz[out] = dh[out] * activation_slope(z[l][out], h[l][out], f.activation[l]);
        if (to.dbias[l]) to.dbias[l][out] += dz[out];
        if (to.dweight[l])
          for (int64_t in = 0; in < inputs; ++in) to.dweight[l][out * inputs + in] += dz[out] * below[in];
      }
      T* dbelow = l > 0 ? dh : dx;
      if (!dbelow) continue;
      std::fill_n(dbelow, inputs, T(0));
      for (int64_t out = 0; out < f.outputs(l); ++out)
        for (int64_t in = 0; in < inputs; ++in) dbelow[in] += dz[out] * f.weight[l][out * inputs + in];
    }
  }
};

template <class T>
void clear_layer_gradients(const Layers<T>& f, const LayerGradients<T>& to) {
  for (int32_t l = 0; l < f.layers; ++l) {
    clear(to.dweight[l], f.outputs(l) * f.inputs(l));
    clear(to.dbias[l], f.outputs(l));
  }
}

}  // namespace upsilon
