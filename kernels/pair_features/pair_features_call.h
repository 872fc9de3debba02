// A checked call of pair_features, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/kernel.h"
#include "lib/math/pair_kinematics.h"
#include "pair_features/pair_features.h"

namespace upsilon {

inline constexpr OperationLine pair_features_forward_line{"pair_features_forward", UPS_PAIR_FEATURES_FORWARD_SCHEMA};
using PairFeaturesForwardCall = CallOf<pair_features_forward_line, ups_pair_features_options>;
inline constexpr OperationLine pair_features_backward_line{"pair_features_backward", UPS_PAIR_FEATURES_BACKWARD_SCHEMA};
using PairFeaturesBackwardCall = CallOf<pair_features_backward_line, ups_pair_features_options>;

template <class T>
struct PairFeatures {
  int64_t particles, events;
  const T* momenta;
  const int32_t* offsets;
  double eps;

  template <NamedCall Named>
  explicit PairFeatures(const Named& call)
      : particles(call.dim("N")), events(call.dim("B")), momenta(call["momenta"]), offsets(call["offsets"]),
        eps(static_cast<double>(call.options().eps)) {}

  UPS_HD int64_t size(int64_t event) const { return offsets[event + 1] - offsets[event]; }
};

template <class T>
struct PairFeaturesForward : PairFeatures<T> {
  T* features;
  explicit PairFeaturesForward(const PairFeaturesForwardCall& call)
      : PairFeatures<T>(call), features(call["features"]) {}
};

template <class T>
struct PairFeaturesBackward : PairFeatures<T> {
  const T* dfeatures;
  T* dmomenta;
  explicit PairFeaturesBackward(const PairFeaturesBackwardCall& call)
      : PairFeatures<T>(call), dfeatures(call["dfeatures"]), dmomenta(call["dmomenta"]) {}

  // The gradient of particle i of an event of `size` particles, kinematics(j) each, from both
  // places of its pairs.
  template <class KinematicsOf>
  void of_particle(const KinematicsOf& kinematics, const T* dpairs, int64_t size, int64_t i, T* to) const {
    const Kinematics own = kinematics(i);
    Kinematics sum{};
    for (int64_t j = 0; j < size; ++j) {
      double g[pair_feature_count];
      for (int64_t c = 0; c < pair_feature_count; ++c)
        g[c] = static_cast<double>(dpairs[(i * size + j) * pair_feature_count + c]) +
               static_cast<double>(dpairs[(j * size + i) * pair_feature_count + c]);
      add_pair_gradient(own, kinematics(j), this->eps, g, sum);
    }
    momentum_gradient(own, sum, to);
  }
};

}  // namespace upsilon
