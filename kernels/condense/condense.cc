// Reference: the definition, in plain loops.
#include "lib/math/no_contraction.h"

#include "condense/condense.h"

#include "lib/kernel.h"
#include "condense/condense_call.h"

namespace upsilon {
namespace {

template <class T>
T distance2(const Condense<T>& f, int64_t i, int64_t j) {
  T sum(0);
  for (int64_t d = 0; d < f.dimensions; ++d) {
    const T difference = f.x[i * f.dimensions + d] - f.x[j * f.dimensions + d];
    sum += difference * difference;
  }
  return sum;
}

template <class T>
ups_status condense_reference(const Call& call) {
  const Condense<T> f(call);
  std::fill_n(f.clusters, f.hits, -1);
  std::fill_n(f.points, f.hits, -1);
  for (int64_t event = 0; event < f.events; ++event) {
    const int64_t begin = f.offsets[event], end = f.offsets[event + 1];
    int32_t count = 0;
    for (;; ++count) {
      int64_t point = -1;
      for (int64_t i = begin; i < end; ++i)
        if (f.clusters[i] < 0 && f.beta[i] > f.t_beta && (point < 0 || f.beta[i] > f.beta[point])) point = i;
      if (point < 0) break;
      f.points[begin + count] = static_cast<int32_t>(point);
      for (int64_t i = begin; i < end; ++i)
        if (f.clusters[i] < 0 && (i == point || distance2(f, i, point) <= f.t_d2)) f.clusters[i] = count;
    }
    f.counts[event] = count;
  }
  return UPS_OK;
}

const OperationOf<CondenseCall> entry{{condense_reference<float>}, {condense_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_condense(ups_context* context, const ups_tensor* beta, const ups_tensor* x, const ups_tensor* offsets,
                        ups_tensor* clusters, ups_tensor* points, ups_tensor* counts,
                        const ups_condense_options* options) noexcept {
  return upsilon::call(context, upsilon::entry, {beta, x, offsets, clusters, points, counts}, options);
}
