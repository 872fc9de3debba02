// Reference: the definition, in plain loops, set by set.
#include "deep_set/deep_set.h"

#include "common/activation.h"
#include "common/kernel.h"
#include "deep_set/deep_set_call.h"

namespace upsilon {
namespace {

// One particle's sums before (z) and values behind (h) the activation of each layer, and gradients.
template <class T>
struct Particle {
  T *z[UPS_MLP_MAX_LAYERS], *h[UPS_MLP_MAX_LAYERS];
  T *dz, *dh;

  Particle(const DeepSet<T>& f, Pieces& pieces) {
    for (int32_t l = 0; l < f.layers; ++l) {
      z[l] = pieces.take<T>(f.outputs(l));
      h[l] = pieces.take<T>(f.outputs(l));
    }
    dz = pieces.take<T>(f.widest_layer());
    dh = pieces.take<T>(f.widest_layer());
  }

  const T* apply(const DeepSet<T>& f, int64_t particle) const {
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
};

// The extremes of a set, by column, and the particles that have them.
template <class T>
struct Extremes {
  T* value;
  int64_t* particle;

  Extremes(const DeepSet<T>& f, Pieces& pieces)
      : value(pieces.take<T>(f.last_width())), particle(pieces.take<int64_t>(f.last_width())) {}

  void find(const DeepSet<T>& f, const Particle<T>& row, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      const T* h = row.apply(f, i);
      for (int64_t c = 0; c < f.last_width(); ++c) {
        const bool beyond = f.pool == UPS_POOL_MAX ? h[c] > value[c] : h[c] < value[c];
        if (i != begin && (std::isnan(value[c]) || !(beyond || std::isnan(h[c])))) continue;
        value[c] = h[c];
        particle[c] = i;
      }
    }
  }
};

template <class T>
size_t workspace_reference(const Call& call) {
  const DeepSet<T> f(call);
  Pieces pieces(nullptr);
  (void)Particle<T>(f, pieces);
  (void)Extremes<T>(f, pieces);
  return pieces.bytes();
}

template <class T>
ups_status forward_reference(const Call& call) {
  const DeepSetForward<T> f(call);
  Pieces pieces(call.workspace);
  const Particle<T> row(f, pieces);
  const Extremes<T> extremes(f, pieces);
  const int64_t width = f.last_width();
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
    T* y = f.y + set * width;
    std::fill_n(y, width, T(0));
    if (begin == end) continue;
    if (is_extreme(f.pool)) {
      extremes.find(f, row, begin, end);
      std::copy_n(extremes.value, width, y);
      continue;
    }
    for (int64_t i = begin; i < end; ++i) {
      const T* h = row.apply(f, i);
      for (int64_t c = 0; c < width; ++c) y[c] += f.particle_weights ? f.particle_weights[i] * h[c] : h[c];
    }
    const T scale = f.scale(set);
    for (int64_t c = 0; c < width; ++c) y[c] *= scale;
  }
  return UPS_OK;
}

// From row.dh, the gradient of one particle's h, to those of x and the parameters.
template <class T>
void add_gradients(const DeepSetBackward<T>& f, const Particle<T>& row, int64_t i) {
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    const int64_t inputs = f.inputs(l);
    const T* h = l > 0 ? row.h[l - 1] : f.x + i * inputs;
    for (int64_t out = 0; out < f.outputs(l); ++out) {
      row.dz[out] = row.dh[out] * activation_slope(row.z[l][out], row.h[l][out], f.activation[l]);
      if (f.dbias[l]) f.dbias[l][out] += row.dz[out];
      if (f.dweight[l])
        for (int64_t in = 0; in < inputs; ++in) f.dweight[l][out * inputs + in] += row.dz[out] * h[in];
    }
    T* dh = l > 0 ? row.dh : f.dx ? f.dx + i * inputs : nullptr;
    if (!dh) continue;
    std::fill_n(dh, inputs, T(0));
    for (int64_t out = 0; out < f.outputs(l); ++out)
      for (int64_t in = 0; in < inputs; ++in) dh[in] += row.dz[out] * f.weight[l][out * inputs + in];
  }
}

template <class T>
ups_status backward_reference(const Call& call) {
  const DeepSetBackward<T> f(call);
  Pieces pieces(call.workspace);
  const Particle<T> row(f, pieces);
  const Extremes<T> extremes(f, pieces);
  const int64_t width = f.last_width();
  for (int32_t l = 0; l < f.layers; ++l) {
    clear(f.dweight[l], f.outputs(l) * f.inputs(l));
    clear(f.dbias[l], f.outputs(l));
  }
  clear(f.dx, f.particles * f.inputs(0));
  clear(f.dparticle_weights, f.particles);
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
    const T* dy = f.dy + set * width;
    const T scale = f.scale(set);
    if (is_extreme(f.pool)) extremes.find(f, row, begin, end);
    T mean(0);  // of dy . h, weighted
    for (int64_t i = begin; i < end; ++i) {
      const T* h = row.apply(f, i);
      const T weight = f.particle_weights ? f.particle_weights[i] : T(1);
      if (f.dparticle_weights) {
        T product(0);
        for (int64_t c = 0; c < width; ++c) product += dy[c] * h[c];
        f.dparticle_weights[i] = scale * product;
        mean += scale * weight * product;
      }
      for (int64_t c = 0; c < width; ++c)
        row.dh[c] = !is_extreme(f.pool) ? dy[c] * (scale * weight) : extremes.particle[c] == i ? dy[c] : T(0);
      add_gradients(f, row, i);
    }
    if (f.dparticle_weights && f.pool == UPS_POOL_MEAN)
      for (int64_t i = begin; i < end; ++i) f.dparticle_weights[i] -= scale * mean;
  }
  return UPS_OK;
}

const OperationEntry forward{"deep_set_forward",
                             UPS_DEEP_SET_FORWARD_SCHEMA,
                             sizeof(ups_deep_set_options),
                             {forward_reference<float>, workspace_reference<float>, deep_set_supports},
                             {forward_reference<double>, workspace_reference<double>, deep_set_supports}};
const OperationEntry backward{"deep_set_backward",
                              UPS_DEEP_SET_BACKWARD_SCHEMA,
                              sizeof(ups_deep_set_options),
                              {backward_reference<float>, workspace_reference<float>, deep_set_backward_supports},
                              {backward_reference<double>, workspace_reference<double>, deep_set_backward_supports}};

// The pointer of layer l in a list that may be missing altogether.
const ups_tensor* layer(const ups_tensor* const* list, int32_t l) { return list ? list[l] : nullptr; }

}  // namespace
}  // namespace upsilon

ups_status ups_deep_set_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                const ups_tensor* particle_weights, const ups_tensor* const* weights,
                                const ups_tensor* const* biases, const ups_tensor* y,
                                const ups_deep_set_options* options) {
  const ups_tensor* tensors[4 + 2 * UPS_MLP_MAX_LAYERS] = {x, offsets, particle_weights};
  for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l) {
    tensors[3 + 2 * l] = upsilon::layer(weights, l);
    tensors[4 + 2 * l] = upsilon::layer(biases, l);
  }
  tensors[11] = y;
  return upsilon::call(context, upsilon::forward, tensors, options);
}

ups_status ups_deep_set_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                 const ups_tensor* particle_weights, const ups_tensor* const* weights,
                                 const ups_tensor* const* biases, const ups_tensor* dy, const ups_tensor* dx,
                                 const ups_tensor* dparticle_weights, const ups_tensor* const* dweights,
                                 const ups_tensor* const* dbiases, const ups_deep_set_options* options) {
  const ups_tensor* tensors[6 + 4 * UPS_MLP_MAX_LAYERS] = {x, offsets, particle_weights};
  for (int32_t l = 0; l < UPS_MLP_MAX_LAYERS; ++l) {
    tensors[3 + 2 * l] = upsilon::layer(weights, l);
    tensors[4 + 2 * l] = upsilon::layer(biases, l);
    tensors[14 + 2 * l] = upsilon::layer(dweights, l);
    tensors[15 + 2 * l] = upsilon::layer(dbiases, l);
  }
  tensors[11] = dy;
  tensors[12] = dx;
  tensors[13] = dparticle_weights;
  return upsilon::call(context, upsilon::backward, tensors, options);
}
