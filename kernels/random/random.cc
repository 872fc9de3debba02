// Reference: the definition, in plain loops.
#include "common/no_contraction.h"

#include "random/random.h"

#include "common/kernel.h"
#include "common/normal.h"
#include "random/random_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status uniform_reference(const Call& call) {
  const RandomCall<T> f(call);
  for (int64_t i = 0; i < f.count; ++i)
    f.y[i] = T(uniform_of(philox(static_cast<uint64_t>(i / 4), f.stream, f.seed).word[i % 4]));
  return UPS_OK;
}

template <class T>
ups_status normal_reference(const Call& call) {
  const RandomCall<T> f(call);
  for (int64_t i = 0; i < f.count; ++i) {
    const PhiloxWords words = philox(static_cast<uint64_t>(i / 4), f.stream, f.seed);
    const int64_t pair = i % 4 / 2 * 2;
    const NormalPair normals = normals_of(words.word[pair], words.word[pair + 1]);
    f.y[i] = T(i % 2 == 0 ? normals.first : normals.second);
  }
  return UPS_OK;
}

const OperationEntry uniform{"random_uniform",
                             UPS_RANDOM_UNIFORM_SCHEMA,
                             sizeof(ups_random_options),
                             {uniform_reference<float>},
                             {uniform_reference<double>}};
const OperationEntry normal{"random_normal",
                            UPS_RANDOM_NORMAL_SCHEMA,
                            sizeof(ups_random_options),
                            {normal_reference<float>},
                            {normal_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_random_uniform(ups_context* context, const ups_tensor* y, const ups_random_options* options) {
  return upsilon::call(context, upsilon::uniform, {y}, options);
}

ups_status ups_random_normal(ups_context* context, const ups_tensor* y, const ups_random_options* options) {
  return upsilon::call(context, upsilon::normal, {y}, options);
}
