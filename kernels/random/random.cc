// Reference: the definition, in plain loops.
#include "lib/math/no_contraction.h"

#include "random/random.h"

#include "core/validity.h"
#include "lib/kernel.h"
#include "lib/math/normal.h"
#include "random/random_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status uniform_reference(const Call& call) {
  const Random<T, RandomUniformCall> f(call);
  for (int64_t i = 0; i < f.count; ++i) {
    const int64_t row = i / f.per_stream, place = i % f.per_stream;
    const PhiloxWords words = philox(static_cast<uint64_t>(place / 4), f.stream + static_cast<uint64_t>(row), f.seed);
    f.y[i] = T(f.line.at(uniform_of(words.word[place % 4])));
  }
  return UPS_OK;
}

template <class T>
ups_status normal_reference(const Call& call) {
  const Random<T, RandomNormalCall> f(call);
  for (int64_t i = 0; i < f.count; ++i) {
    const int64_t row = i / f.per_stream, place = i % f.per_stream;
    const PhiloxWords words = philox(static_cast<uint64_t>(place / 4), f.stream + static_cast<uint64_t>(row), f.seed);
    const int64_t pair = place % 4 / 2 * 2;
    const NormalPair normals = normals_of(words.word[pair], words.word[pair + 1]);
    f.y[i] = T(f.line.at(place % 2 == 0 ? normals.first : normals.second));
  }
  return UPS_OK;
}

void validate_uniform(const RandomUniformCall& call, RefusalOf<RandomUniformCall>& refuse) {
  const auto& options = call.options();
  if (!std::isfinite(options.low)) refuse("low", "is " + refuse.option_text("low") + " (expected a finite number)");
  if (!std::isfinite(options.high)) refuse("high", "is " + refuse.option_text("high") + " (expected a finite number)");
  const float width = options.high - options.low;
  if (!(width >= 0 && std::isfinite(width)))
    refuse("high", "is " + refuse.option_text("high") + " but " + named("low") + " is " + refuse.option_text("low") +
                       (width > 0 ? " (expected a finite distance)" : " (expected at least low)"));
}
void validate_normal(const RandomNormalCall& call, RefusalOf<RandomNormalCall>& refuse) {
  const auto& options = call.options();
  if (!std::isfinite(options.mean)) refuse("mean", "is " + refuse.option_text("mean") + " (expected a finite number)");
  if (!std::isfinite(options.deviation))
    refuse("deviation", "is " + refuse.option_text("deviation") + " (expected a finite number)");
}

const OperationOf<RandomUniformCall> uniform{
    {uniform_reference<float>}, {uniform_reference<double>}, validated_by<validate_uniform>};
const OperationOf<RandomNormalCall> normal{
    {normal_reference<float>}, {normal_reference<double>}, validated_by<validate_normal>};

}  // namespace
}  // namespace upsilon

ups_status ups_random_uniform(ups_context* context, ups_tensor* y, const ups_random_uniform_options* options) noexcept {
  return upsilon::call(context, upsilon::uniform, {y}, options);
}

ups_status ups_random_normal(ups_context* context, ups_tensor* y, const ups_random_normal_options* options) noexcept {
  return upsilon::call(context, upsilon::normal, {y}, options);
}
