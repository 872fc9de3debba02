// Reference: indices compared by key, then by themselves.
#include "argsort/argsort.h"

#include <numeric>

#include "argsort/argsort_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status reference(const Call& call) {
  const Argsort<T> f(call);
  std::iota(f.order, f.order + f.elements, 0);
  for (int64_t set = 0; set < f.sets; ++set)
    std::sort(f.order + f.offsets[set], f.order + f.offsets[set + 1], [&](int32_t a, int32_t b) {
      const T first = f.descending ? f.keys[b] : f.keys[a], second = f.descending ? f.keys[a] : f.keys[b];
      return first < second || (first == second && a < b);
    });
  return UPS_OK;
}

const OperationOf<ArgsortCall> reals{{reference<float>}, {reference<double>}};
const OperationOf<ArgsortIntegersCall> integers{{reference<int32_t>}, {reference<int32_t>}};

}  // namespace
}  // namespace upsilon

ups_status ups_argsort(ups_context* context, const ups_tensor* keys, const ups_tensor* offsets, ups_tensor* order,
                       const ups_argsort_options* options) noexcept {
  return upsilon::call(context, upsilon::reals, {keys, offsets, order}, options);
}

ups_status ups_argsort_integers(ups_context* context, const ups_tensor* keys, const ups_tensor* offsets,
                                ups_tensor* order, const ups_argsort_options* options) noexcept {
  return upsilon::call(context, upsilon::integers, {keys, offsets, order}, options);
}
