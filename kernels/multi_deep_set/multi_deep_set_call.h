// A checked call of multi_deep_set, as plain numbers and pointers.
#pragma once
#include "lib/dense/pooled_layers.h"
#include "multi_deep_set/multi_deep_set.h"

namespace upsilon {

static_assert(UPS_MULTI_DEEP_SET_MAX_LAYERS == max_layers);

// Where a set's arguments and dimensions begin.
constexpr int multi_deep_set_inputs = 3 + 2 * max_layers, multi_deep_set_outputs = 2 + 2 * max_layers;
constexpr int multi_deep_set_y = UPS_MULTI_DEEP_SET_MAX_SETS * multi_deep_set_inputs;
constexpr int multi_deep_set_gradient(int s) { return multi_deep_set_y + 1 + s * multi_deep_set_outputs; }
// N0, K0, B, M0_0 ... M0_3, then N1, K1, M1_0 ... and W at the end.
constexpr int multi_deep_set_dim(int s) { return s == 0 ? 0 : 1 + (2 + max_layers) * s; }
constexpr int multi_deep_set_first_width(int s) { return multi_deep_set_dim(s) + (s == 0 ? 3 : 2); }
constexpr int multi_deep_set_width = multi_deep_set_dim(UPS_MULTI_DEEP_SET_MAX_SETS);

template <class T>
struct MultiDeepSet {
  int32_t lists = 0;  // of sets
  int64_t events, width;
  PooledLayers<T> list[UPS_MULTI_DEEP_SET_MAX_SETS];
  int64_t first_column[UPS_MULTI_DEEP_SET_MAX_SETS];  // of y
  int32_t pool;
  bool before;  // whether all are pooled together

  explicit MultiDeepSet(const Call& call) : events(call.dims[2]), width(call.dims[multi_deep_set_width]) {
    const auto& options = call.option<ups_multi_deep_set_options>();
    pool = options.pool;
    before = options.fuse == UPS_FUSE_BEFORE;
    int64_t column = 0;
    while (lists < UPS_MULTI_DEEP_SET_MAX_SETS && call.given(lists * multi_deep_set_inputs)) {
      const int dim = multi_deep_set_dim(lists);
      list[lists] = PooledLayers<T>(call, lists * multi_deep_set_inputs, call.dims[dim], call.dims[dim + 1], events,
                                    multi_deep_set_first_width(lists), options.activation[lists], pool);
      first_column[lists] = before ? 0 : column;
      column += list[lists++].last_width();
    }
  }

  // What the sum over an event's particles is multiplied with, where all sets are pooled together.
  T scale(int64_t event) const {
    T total(0);
    for (int32_t s = 0; s < lists; ++s) total += list[s].total_weight(event);
    return pool == UPS_POOL_MEAN ? mean_scale(total) : T(1);
  }
};

template <class T>
struct MultiDeepSetForward : MultiDeepSet<T> {
  T* y;

  explicit MultiDeepSetForward(const Call& call) : MultiDeepSet<T>(call), y(call.data<T>(multi_deep_set_y)) {}
};

template <class T>
struct MultiDeepSetBackward : MultiDeepSet<T> {
  const T* dy;
  PooledLayersGradients<T> to[UPS_MULTI_DEEP_SET_MAX_SETS];

  explicit MultiDeepSetBackward(const Call& call) : MultiDeepSet<T>(call), dy(call.data<const T>(multi_deep_set_y)) {
    for (int32_t s = 0; s < this->lists; ++s) to[s] = PooledLayersGradients<T>(call, multi_deep_set_gradient(s));
  }

  // Whether a divisor that all sets share has a gradient.
  bool shares_divisor() const {
    bool any = false;
    for (int32_t s = 0; s < this->lists; ++s) any |= to[s].dparticle_weights != nullptr;
    return any && this->before && this->pool == UPS_POOL_MEAN;
  }
};

// Sets without gaps, each whole or not there at all, and widths that make W.
inline bool multi_deep_set_supports(const Call& call) {
  const MultiDeepSet<float> f(call);
  int64_t sum = 0;
  for (int32_t s = 0; s < UPS_MULTI_DEEP_SET_MAX_SETS; ++s) {
    const int first = s * multi_deep_set_inputs;
    if (s < f.lists) {
      if (!call.given(first + 1) || !call.given(first + 3) || !pooled_layers_are_whole(call, first, f.pool))
        return false;
      if (f.before && f.list[s].last_width() != f.width) return false;
      sum += f.list[s].last_width();
      continue;
    }
    for (int i = 0; i < multi_deep_set_inputs; ++i)
      if (call.given(first + i)) return false;
  }
  return f.before || sum == f.width;
}
inline bool multi_deep_set_backward_supports(const Call& call) {
  for (int s = 0; s < UPS_MULTI_DEEP_SET_MAX_SETS; ++s) {
    const int first = s * multi_deep_set_inputs, gradient = multi_deep_set_gradient(s);
    if (!pooled_gradients_have_layers(call, first, gradient)) return false;
    if (!call.given(first) && call.given(gradient)) return false;
  }
  return multi_deep_set_supports(call);
}

}  // namespace upsilon
