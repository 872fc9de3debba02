// A checked call of grav_net, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "lib/kernel.h"
#include "grav_net/grav_net.h"

namespace upsilon {

inline constexpr OperationLine grav_net_forward_line{"grav_net_forward", UPS_GRAV_NET_FORWARD_SCHEMA};
using GravNetForwardCall = CallOf<grav_net_forward_line, ups_grav_net_options>;
inline constexpr OperationLine grav_net_backward_line{"grav_net_backward", UPS_GRAV_NET_BACKWARD_SCHEMA};
using GravNetBackwardCall = CallOf<grav_net_backward_line, ups_grav_net_options>;

// w = exp(-steepness d^2)
inline constexpr float grav_net_steepness = 10.0f;

template <class T>
struct GravNet {
  int64_t nodes, edges, places, features;
  const int32_t *row_offsets, *sources;
  const T *space, *h;
  int64_t mean_at, max_at;  // columns of y

  template <NamedCall Named>
  explicit GravNet(const Named& call)
      : nodes(call.dim("N")), edges(call.dim("E")), places(call.dim("S")), features(call.dim("P")),
        row_offsets(call["row_offsets"]), sources(call["sources"]), space(call["space"]), h(call["features"]) {
    const bool pyg = call.options().convention == UPS_GRAV_NET_PYG;
    mean_at = pyg ? 0 : features;
    max_at = pyg ? features : 0;
  }
};

template <class T>
struct GravNetForward : GravNet<T> {
  T* y;

  explicit GravNetForward(const GravNetForwardCall& call) : GravNet<T>(call), y(call["y"]) {}
};

template <class T>
struct GravNetBackward : GravNet<T> {
  const int32_t *transposed_offsets, *targets, *edge_ids;
  const T* dy;
  T *dspace, *dfeatures;

  explicit GravNetBackward(const GravNetBackwardCall& call)
      : GravNet<T>(call), transposed_offsets(call["transposed_offsets"]), targets(call["targets"]),
        edge_ids(call["edges"]), dy(call["dy"]), dspace(call["dspace"]), dfeatures(call["dfeatures"]) {}
};

struct GravNetForwardScratch {
  float* weights;  // w of each edge
  GravNetForwardScratch(const GravNet<float>& f, WorkspaceLayout& workspace)
      : weights(workspace.reserve<float>(f.edges)) {}
};

struct GravNetBackwardScratch {
  float *weights, *slopes;  // per edge: w, and what arrives at d^2
  int32_t* winners;         // [N, P]

  GravNetBackwardScratch(const GravNet<float>& f, WorkspaceLayout& workspace)
      : weights(workspace.reserve<float>(f.edges)), slopes(workspace.reserve<float>(f.edges)),
        winners(workspace.reserve<int32_t>(f.nodes * f.features)) {}
};

}  // namespace upsilon
