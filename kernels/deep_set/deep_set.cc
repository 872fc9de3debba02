// Reference: the definition, in plain loops, set by set.
#include "deep_set/deep_set.h"

#include "lib/dense/layer_validity.h"
#include "lib/segments/pool_validity.h"
#include "deep_set/deep_set_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const DeepSetForward<T> f(call);
  WorkspaceLayout workspace(call.workspace);
  const Particle<T> row(f, workspace);
  Extremes<T> extremes(f.last_width(), workspace);
  const int64_t width = f.last_width();
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
    T* y = f.y + set * width;
    std::fill_n(y, width, T(0));
    if (begin == end) continue;
    if (is_extreme(f.pool)) {
      extremes.any = false;
      extremes.take(f, row, set);
      std::copy_n(extremes.value, width, y);
      continue;
    }
    for (int64_t i = begin; i < end; ++i) {
      const T* h = row.apply(f, i);
      for (int64_t c = 0; c < width; ++c) y[c] += f.weight_of(i) * h[c];
    }
    const T scale = f.scale(set);
    for (int64_t c = 0; c < width; ++c) y[c] *= scale;
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const DeepSetBackward<T> f(call);
  WorkspaceLayout workspace(call.workspace);
  const Particle<T> row(f, workspace);
  Extremes<T> extremes(f.last_width(), workspace);
  const int64_t width = f.last_width();
  clear_gradients(f, f);
  for (int64_t set = 0; set < f.sets; ++set) {
    const int64_t begin = f.offsets[set], end = f.offsets[set + 1];
    const T* dy = f.dy + set * width;
    const T scale = f.scale(set);
    extremes.any = false;
    if (is_extreme(f.pool)) extremes.take(f, row, set);
    T mean(0);  // of dy . h, weighted
    for (int64_t i = begin; i < end; ++i) {
      const T* h = row.apply(f, i);
      const T weight = f.weight_of(i);
      if (f.dparticle_weights) {
        T product(0);
        for (int64_t c = 0; c < width; ++c) product += dy[c] * h[c];
        f.dparticle_weights[i] = scale * product;
        mean += scale * weight * product;
      }
      for (int64_t c = 0; c < width; ++c)
        row.dh[c] = !is_extreme(f.pool) ? dy[c] * (scale * weight) : extremes.particle[c] == i ? dy[c] : T(0);
      row.add_gradients(f, f, i);
    }
    if (f.dparticle_weights && f.pool == UPS_POOL_MEAN)
      for (int64_t i = begin; i < end; ++i) f.dparticle_weights[i] -= scale * mean;
  }
  return UPS_OK;
}

template <class Named>
void validate_weights(const Named& call, RefusalOf<Named>& refuse) {
  if (call.given("particle_weights") && is_extreme(call.options().pool))
    refuse("particle_weights", weighted_extreme_text(refuse));
}
void validate(const DeepSetForwardCall& call, RefusalOf<DeepSetForwardCall>& refuse) {
  validate_layers(call, refuse);
  validate_weights(call, refuse);
}
void validate_backward(const DeepSetBackwardCall& call, RefusalOf<DeepSetBackwardCall>& refuse) {
  validate_layer_gradients(call, refuse);
  validate_weights(call, refuse);
  refuse.given_without("dparticle_weights", "particle_weights");
}

const OperationOf<DeepSetForwardCall> forward{
    {forward_reference<float>, workspace_of<DeepSetForward<float>, Particle<float>, Extremes<float>>},
    {forward_reference<double>, workspace_of<DeepSetForward<double>, Particle<double>, Extremes<double>>},
    validated_by<validate>};
const OperationOf<DeepSetBackwardCall> backward{
    {backward_reference<float>, workspace_of<DeepSetBackward<float>, Particle<float>, Extremes<float>>},
    {backward_reference<double>, workspace_of<DeepSetBackward<double>, Particle<double>, Extremes<double>>},
    validated_by<validate_backward>};

}  // namespace
}  // namespace upsilon

ups_status ups_deep_set_forward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                const ups_tensor* particle_weights, const ups_tensor* const* weights,
                                const ups_tensor* const* biases, ups_tensor* y,
                                const ups_deep_set_options* options) noexcept {
  upsilon::DeepSetForwardCall::Arguments to;
  to["x"] = x;
  to["offsets"] = offsets;
  to["particle_weights"] = particle_weights;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["y"] = y;
  return upsilon::call(context, upsilon::forward, to.tensors, options);
}

ups_status ups_deep_set_backward(ups_context* context, const ups_tensor* x, const ups_tensor* offsets,
                                 const ups_tensor* particle_weights, const ups_tensor* const* weights,
                                 const ups_tensor* const* biases, const ups_tensor* dy, ups_tensor* dx,
                                 ups_tensor* dparticle_weights, const ups_tensor* const* dweights,
                                 const ups_tensor* const* dbiases, const ups_deep_set_options* options) noexcept {
  upsilon::DeepSetBackwardCall::Arguments to;
  to["x"] = x;
  to["offsets"] = offsets;
  to["particle_weights"] = particle_weights;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["dy"] = dy;
  to["dx"] = dx;
  to["dparticle_weights"] = dparticle_weights;
  to.put("dweight#", dweights);
  to.put("dbias#", dbiases);
  return upsilon::call(context, upsilon::backward, to.tensors, options);
}
