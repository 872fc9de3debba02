// Reference: the definition, in plain loops.
#include "grav_net/grav_net.h"

#include "lib/kernel.h"
#include "grav_net/grav_net_call.h"

namespace upsilon {
namespace {

template <class T>
T weight_of(const GravNet<T>& f, int64_t i, int64_t j) {
  T distance = 0;
  for (int64_t d = 0; d < f.places; ++d) {
    const T difference = f.space[i * f.places + d] - f.space[j * f.places + d];
    distance += difference * difference;
  }
  return std::exp(-static_cast<T>(grav_net_steepness) * distance);
}

// Whether `value` takes the place of the largest so far: beyond it, or the first NaN.
template <class T>
bool replaces(T value, T largest) {
  if (std::isnan(largest)) return false;
  return std::isnan(value) || value > largest;
}

// The edge with the largest w h in one channel, of a node that has edges.
template <class T>
int32_t find_largest(const GravNet<T>& f, int64_t i, int64_t channel, T* value) {
  int32_t largest = f.row_offsets[i];
  for (int32_t e = f.row_offsets[i]; e < f.row_offsets[i + 1]; ++e) {
    const T next = weight_of(f, i, f.sources[e]) * f.h[f.sources[e] * f.features + channel];
    if (e > f.row_offsets[i] && !replaces(next, *value)) continue;
    *value = next;
    largest = e;
  }
  return largest;
}

template <class T>
ups_status forward_reference(const Call& call) {
  const GravNetForward<T> f(call);
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t c = 0; c < f.features; ++c) {
      const int32_t begin = f.row_offsets[i], end = f.row_offsets[i + 1];
      T mean = 0, max = 0;
      for (int32_t e = begin; e < end; ++e) mean += weight_of(f, i, f.sources[e]) * f.h[f.sources[e] * f.features + c];
      if (begin < end) {
        mean /= static_cast<T>(end - begin);
        find_largest(f, i, c, &max);
      }
      f.y[2 * i * f.features + f.mean_at + c] = mean;
      f.y[2 * i * f.features + f.max_at + c] = max;
    }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const GravNetBackward<T> f(call);
  clear(f.dspace, f.nodes * f.places);
  clear(f.dfeatures, f.nodes * f.features);
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t c = 0; c < f.features; ++c) {
      const int32_t begin = f.row_offsets[i], end = f.row_offsets[i + 1];
      if (begin == end) continue;
      T ignored = 0;
      const int32_t largest = find_largest(f, i, c, &ignored);
      for (int32_t e = begin; e < end; ++e) {
        const int64_t j = f.sources[e];
        const T w = weight_of(f, i, j);
        T gradient = f.dy[2 * i * f.features + f.mean_at + c] / static_cast<T>(end - begin);
        if (e == largest) gradient += f.dy[2 * i * f.features + f.max_at + c];
        if (f.dfeatures) f.dfeatures[j * f.features + c] += w * gradient;
        const T of_distance = -static_cast<T>(grav_net_steepness) * w * gradient * f.h[j * f.features + c];
        for (int64_t d = 0; d < f.places && f.dspace; ++d) {
          const T step = 2 * of_distance * (f.space[i * f.places + d] - f.space[j * f.places + d]);
          f.dspace[i * f.places + d] += step;
          f.dspace[j * f.places + d] -= step;
        }
      }
    }
  return UPS_OK;
}

const OperationOf<GravNetForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<GravNetBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_grav_net_forward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                const ups_tensor* space, const ups_tensor* features, ups_tensor* y,
                                const ups_grav_net_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {row_offsets, sources, space, features, y}, options);
}

ups_status ups_grav_net_backward(ups_context* context, const ups_tensor* row_offsets, const ups_tensor* sources,
                                 const ups_tensor* transposed_offsets, const ups_tensor* targets,
                                 const ups_tensor* edges, const ups_tensor* space, const ups_tensor* features,
                                 const ups_tensor* dy, ups_tensor* dspace, ups_tensor* dfeatures,
                                 const ups_grav_net_options* options) noexcept {
  return upsilon::call(
      context, upsilon::backward,
      {row_offsets, sources, transposed_offsets, targets, edges, space, features, dy, dspace, dfeatures}, options);
}
