// Reference: the definition, pair by pair.
#include "pair_features/pair_features.h"

#include "pair_features/pair_features_call.h"

namespace upsilon {
namespace {

size_t workspace(const Call& call) { return static_cast<size_t>(call.dims[0]) * sizeof(Kinematics); }

template <class T>
const Kinematics* find_kinematics(const PairFeatures<T>& f, void* workspace) {
  Kinematics* const kinematics = static_cast<Kinematics*>(workspace);
  for (int64_t i = 0; i < f.particles; ++i) kinematics[i] = kinematics_of(f.momenta + i * pair_columns_of_momenta);
  return kinematics;
}

template <class T>
ups_status forward_reference(const Call& call) {
  const PairFeaturesForward<T> f(call);
  const Kinematics* const kinematics = find_kinematics(f, call.workspace);
  T* features = f.features;
  for (int64_t event = 0; event < f.events; ++event)
    for (int64_t i = f.offsets[event]; i < f.offsets[event + 1]; ++i)
      for (int64_t j = f.offsets[event]; j < f.offsets[event + 1]; ++j, features += pair_feature_count)
        pair_features(kinematics[i], kinematics[j], f.eps, features);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const PairFeaturesBackward<T> f(call);
  const Kinematics* const kinematics = find_kinematics(f, call.workspace);
  clear(f.dmomenta, f.particles * pair_columns_of_momenta);
  const T* dpairs = f.dfeatures;
  for (int64_t event = 0; event < f.events; ++event) {
    const int64_t first = f.offsets[event], size = f.size(event);
    const auto of_event = [&](int64_t j) { return kinematics[first + j]; };
    for (int64_t i = 0; i < size; ++i)
      f.of_particle(of_event, dpairs, size, i, f.dmomenta + (first + i) * pair_columns_of_momenta);
    dpairs += size * size * pair_feature_count;
  }
  return UPS_OK;
}

const OperationEntry forward{"pair_features_forward",
                             UPS_PAIR_FEATURES_FORWARD_SCHEMA,
                             sizeof(ups_pair_features_options),
                             {forward_reference<float>, workspace, pair_features_supports},
                             {forward_reference<double>, workspace, pair_features_supports}};
const OperationEntry backward{"pair_features_backward",
                              UPS_PAIR_FEATURES_BACKWARD_SCHEMA,
                              sizeof(ups_pair_features_options),
                              {backward_reference<float>, workspace, pair_features_supports},
                              {backward_reference<double>, workspace, pair_features_supports}};

}  // namespace
}  // namespace upsilon

ups_status ups_pair_features_forward(ups_context* context, const ups_tensor* momenta, const ups_tensor* offsets,
                                     ups_tensor* features, const ups_pair_features_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {momenta, offsets, features}, options);
}

ups_status ups_pair_features_backward(ups_context* context, const ups_tensor* momenta, const ups_tensor* offsets,
                                      const ups_tensor* dfeatures, ups_tensor* dmomenta,
                                      const ups_pair_features_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {momenta, offsets, dfeatures, dmomenta}, options);
}
