// A checked call of pair_features, as plain numbers and pointers.
#pragma once
#include "lib/kernel.h"
#include "lib/math/pair_kinematics.h"
#include "pair_features/pair_features.h"

namespace upsilon {

template <class T>
struct PairFeatures {
  int64_t particles, events;
  const T* momenta;
  const int32_t* offsets;
  double eps;

  explicit PairFeatures(const Call& call)
      : particles(call.dims[0]), events(call.dims[2]), momenta(call.data<const T>(0)),
        offsets(call.data<const int32_t>(1)), eps(static_cast<double>(call.option<ups_pair_features_options>().eps)) {}

  UPS_HD int64_t size(int64_t event) const { return offsets[event + 1] - offsets[event]; }
};

template <class T>
struct PairFeaturesForward : PairFeatures<T> {
  T* features;
  explicit PairFeaturesForward(const Call& call) : PairFeatures<T>(call), features(call.data<T>(2)) {}
};

template <class T>
struct PairFeaturesBackward : PairFeatures<T> {
  const T* dfeatures;
  T* dmomenta;
  explicit PairFeaturesBackward(const Call& call)
      : PairFeatures<T>(call), dfeatures(call.data<const T>(2)), dmomenta(call.data<T>(3)) {}

  // The gradient of particle i of an event of `size` particles, kinematics(j) each, from both places of its pairs.
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

inline bool pair_features_supports(const Call& call) {
  return call.dims[1] == pair_columns_of_momenta && call.option<ups_pair_features_options>().eps > 0;
}

}  // namespace upsilon
