// Reference: the definition, pair by pair.
#include "pair_features/pair_features.h"

#include "core/validity.h"
#include "pair_features/pair_features_call.h"

namespace upsilon {
namespace {

struct Scratch {
  Kinematics* kinematics;
  template <class T>
  Scratch(const PairFeatures<T>& f, WorkspaceLayout& workspace)
      : kinematics(workspace.reserve<Kinematics>(f.particles)) {}
};

template <class T>
const Kinematics* find_kinematics(const Call& call, const PairFeatures<T>& f) {
  Kinematics* const kinematics = scratch_of<Scratch>(call, f).kinematics;
  for (int64_t i = 0; i < f.particles; ++i) kinematics[i] = kinematics_of(f.momenta + i * pair_columns_of_momenta);
  return kinematics;
}

template <class T>
ups_status forward_reference(const Call& call) {
  const PairFeaturesForward<T> f(call);
  const Kinematics* const kinematics = find_kinematics(call, f);
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
  const Kinematics* const kinematics = find_kinematics(call, f);
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

// C has a name for the sake of the rule `pairs`, which multiplies by it.
template <class Named>
void validate(const Named& call, RefusalOf<Named>& refuse) {
  if (call.dim("C") != pair_columns_of_momenta)
    refuse("momenta", format("has %lld columns (expected 4: px, py, pz, E)", static_cast<long long>(call.dim("C"))),
           UPS_SHAPE);
}

const OperationOf<PairFeaturesForwardCall> forward{
    {forward_reference<float>, workspace_of<PairFeaturesForward<float>, Scratch>},
    {forward_reference<double>, workspace_of<PairFeaturesForward<double>, Scratch>},
    validated_by<validate<PairFeaturesForwardCall>>};
const OperationOf<PairFeaturesBackwardCall> backward{
    {backward_reference<float>, workspace_of<PairFeaturesBackward<float>, Scratch>},
    {backward_reference<double>, workspace_of<PairFeaturesBackward<double>, Scratch>},
    validated_by<validate<PairFeaturesBackwardCall>>};

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
