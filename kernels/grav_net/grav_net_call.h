// A checked call of grav_net, as plain numbers and pointers.
#pragma once
#include "lib/kernel.h"
#include "grav_net/grav_net.h"

namespace upsilon {

// w = exp(-steepness d^2)
inline constexpr float grav_net_steepness = 10.0f;

template <class T>
struct GravNet {
  int64_t nodes, edges, places, features;
  const int32_t *row_offsets, *sources;
  const T *space, *h;
  int64_t mean_at, max_at;  // columns of y

  GravNet(const Call& call, int first)
      : nodes(call.dims[0]), edges(call.dims[1]), places(call.dims[2]), features(call.dims[3]),
        row_offsets(call.data<const int32_t>(0)), sources(call.data<const int32_t>(1)),
        space(call.data<const T>(first)), h(call.data<const T>(first + 1)) {
    const bool pyg = call.option<ups_grav_net_options>().convention == UPS_GRAV_NET_PYG;
    mean_at = pyg ? 0 : features;
    max_at = pyg ? features : 0;
  }
};

template <class T>
struct GravNetForward : GravNet<T> {
  T* y;

  explicit GravNetForward(const Call& call) : GravNet<T>(call, 2), y(call.data<T>(4)) {}
};

template <class T>
struct GravNetBackward : GravNet<T> {
  const int32_t *transposed_offsets, *targets, *edge_ids;
  const T* dy;
  T *dspace, *dfeatures;

  explicit GravNetBackward(const Call& call)
      : GravNet<T>(call, 5), transposed_offsets(call.data<const int32_t>(2)), targets(call.data<const int32_t>(3)),
        edge_ids(call.data<const int32_t>(4)), dy(call.data<const T>(7)), dspace(call.data<T>(8)),
        dfeatures(call.data<T>(9)) {}
};

struct GravNetBackwardScratch {
  float *weights, *slopes;  // per edge: w, and what arrives at d^2
  int32_t* winners;         // [N, P]

  GravNetBackwardScratch(const GravNet<float>& f, Pieces& pieces)
      : weights(pieces.take<float>(f.edges)), slopes(pieces.take<float>(f.edges)),
        winners(pieces.take<int32_t>(f.nodes * f.features)) {}
};

}  // namespace upsilon
