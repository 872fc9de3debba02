// Reference: the definition, in plain loops.
#include "knn_graph/knn_graph.h"

#include "core/validity.h"
#include "lib/kernel.h"
#include "knn_graph/knn_graph_call.h"

namespace upsilon {
namespace {

// What squared differences of coordinates are summed up in: the next wider type, as their exponents
// are twice as large.
template <class T>
struct Wider {
  using Type = double;
};
template <>
struct Wider<double> {
  using Type = long double;
};

template <class T, class Distance = typename Wider<T>::Type>
Distance distance_between(const T* a, const T* b, int64_t width) {
  Distance sum = 0;
  for (int64_t d = 0; d < width; ++d) {
    const Distance difference = static_cast<Distance>(a[d]) - static_cast<Distance>(b[d]);
    sum += difference * difference;
  }
  return sum;
}

template <class T>
struct Scratch {
  using Candidate = NeighbourAt<typename Wider<T>::Type>;
  Candidate* all;
  Scratch(const KnnGraph<T>& f, WorkspaceLayout& workspace) : all(workspace.reserve<Candidate>(f.points)) {}
};

template <class T>
ups_status run_reference(const Call& call) {
  const KnnGraph<T> f(call);
  typename Scratch<T>::Candidate* all = scratch_of<Scratch<T>>(call, f).all;
  lay_out_rows(f);
  for (int64_t event = 0; event < f.events; ++event) {
    const int64_t begin = f.offsets[event], end = f.offsets[event + 1];
    for (int64_t i = begin; i < end; ++i) {
      int64_t count = 0;
      for (int64_t j = begin; j < end; ++j)
        if (f.loop || i != j)
          all[count++] = {distance_between(f.x + i * f.width, f.x + j * f.width, f.width), static_cast<int32_t>(j)};
      const int64_t length = f.row_offsets[i + 1] - f.row_offsets[i];
      std::partial_sort(all, all + length, all + count);
      for (int64_t e = 0; e < length; ++e) f.sources[f.row_offsets[i] + e] = all[e].index;
    }
  }
  return UPS_OK;
}

void validate(const KnnGraphCall& call, RefusalOf<KnnGraphCall>& refuse) {
  const int64_t points = call.dim("N"), neighbours = call.dim("K");
  if (neighbours > 0 && points > INT32_MAX / neighbours)
    refuse("sources",
           format("has room for %lld neighbours of each of %lld points (expected at most 2^31 - 1 edges)",
                  static_cast<long long>(neighbours), static_cast<long long>(points)),
           UPS_SHAPE);
}

const OperationOf<KnnGraphCall> entry{{run_reference<float>, workspace_of<KnnGraph<float>, Scratch<float>>},
                                      {run_reference<double>, workspace_of<KnnGraph<double>, Scratch<double>>},
                                      validated_by<validate>};

}  // namespace

double squared_distance(const float* a, const float* b, int64_t width) { return distance_between(a, b, width); }

}  // namespace upsilon

ups_status ups_knn_graph(ups_context* context, const ups_tensor* x, const ups_tensor* offsets, ups_tensor* row_offsets,
                         ups_tensor* sources, const ups_knn_graph_options* options) noexcept {
  return upsilon::call(context, upsilon::entry, {x, offsets, row_offsets, sources}, options);
}
