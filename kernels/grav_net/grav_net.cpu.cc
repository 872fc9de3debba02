// SIMD: the weights of all edges first, a vector of edges at a time for the exponential; then the
// channels lie across the vectors, and mean and maximum of a node are found in one pass over its
// edges. Floor: the gathered rows of h, 4 P bytes an edge. Backward takes the same pass for the
// edge of each maximum, and two more: over the edges of each node for what arrives at the
// distances, over the edges out of it for features and places.
#include "grav_net/grav_net.h"
#include "grav_net/grav_net_call.h"

#define UPS_SIMD_SOURCE "grav_net/grav_net.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/elementary.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_nodes = 64;

template <class Body>
void each_node(Threads& threads, int64_t nodes, Body&& body) {
  threads.run(ceil_div(nodes, task_nodes), [&](int64_t task, int32_t) {
    for (int64_t n = task * task_nodes; n < std::min(nodes, (task + 1) * task_nodes); ++n) body(n);
  });
}

// weights[e] = w of every edge that is in a row.
void weigh_edges(Threads& threads, const GravNet<float>& f, float* weights) {
  threads.run(ceil_div(f.nodes, task_nodes), [&](int64_t task, int32_t) {
    const int64_t first = task * task_nodes, end = std::min(f.nodes, first + task_nodes);
    for (int64_t n = first; n < end; ++n)
      for (int64_t e = f.row_offsets[n]; e < f.row_offsets[n + 1]; ++e) {
        float distance = 0;
        for (int64_t d = 0; d < f.places; ++d) {
          const float difference = f.space[n * f.places + d] - f.space[f.sources[e] * f.places + d];
          distance += difference * difference;
        }
        weights[e] = distance;
      }
    float* own = weights + f.row_offsets[first];
    each_vector(f.row_offsets[end] - f.row_offsets[first], [&](int64_t e, int64_t here) {
      store_some(own + e, exp(load_some(own + e, here) * broadcast(-grav_net_steepness)), here);
    });
  });
}

struct Collected {
  Floats sum, largest;
  Ints winner;
};

// `here` channels of node n from c on; it has edges.
Collected collect(const GravNet<float>& f, const float* weights, int64_t n, int64_t c, int64_t here) {
  Collected all{};
  for (int64_t e = f.row_offsets[n]; e < f.row_offsets[n + 1]; ++e) {
    const Floats next = broadcast(weights[e]) * load_some(f.h + f.sources[e] * f.features + c, here);
    const Ints edge = static_cast<int32_t>(e) - Ints{};
    const bool first = e == f.row_offsets[n];
    const Ints larger = (next > all.largest) | ((next != next) & (all.largest == all.largest));
    all.largest = first ? next : larger ? next : all.largest;
    all.winner = first ? edge : larger ? edge : all.winner;
    all.sum += next;
  }
  return all;
}

Floats edges_of(const GravNet<float>& f, int64_t n) {
  return broadcast(static_cast<float>(f.row_offsets[n + 1] - f.row_offsets[n]));
}

ups_status forward(const Call& call) {
  const GravNetForward<float> f(call);
  float* weights = scratch_of<GravNetForwardScratch>(call, f).weights;
  weigh_edges(*call.threads, f, weights);
  each_node(*call.threads, f.nodes, [&](int64_t n) {
    float* y = f.y + 2 * n * f.features;
    if (f.row_offsets[n] == f.row_offsets[n + 1]) return clear(y, 2 * f.features);
    each_vector(f.features, [&](int64_t c, int64_t here) {
      const Collected all = collect(f, weights, n, c, here);
      store_some(y + f.mean_at + c, all.sum / edges_of(f, n), here);
      store_some(y + f.max_at + c, all.largest, here);
    });
  });
  return UPS_OK;
}

// What arrives at w h of an edge into node n.
Floats product_gradient(const GravNetBackward<float>& f, const int32_t* winners, int64_t n, int64_t edge, int64_t c,
                        int64_t here) {
  const float* dy = f.dy + 2 * n * f.features;
  Ints winner{};
  std::memcpy(&winner, winners + n * f.features + c, static_cast<size_t>(here) * sizeof(int32_t));
  const Floats of_max = load_some(dy + f.max_at + c, here);
  return load_some(dy + f.mean_at + c, here) / edges_of(f, n) +
         (winner == static_cast<int32_t>(edge) - Ints{} ? of_max : zero());
}

ups_status backward(const Call& call) {
  const GravNetBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<GravNetBackwardScratch>(call, f);
  weigh_edges(threads, f, scratch.weights);
  const auto step = [&](int64_t i, int64_t j, int64_t edge, float* dspace) {
    for (int64_t d = 0; d < f.places; ++d)
      dspace[d] += 2 * scratch.slopes[edge] * (f.space[i * f.places + d] - f.space[j * f.places + d]);
  };
  each_node(threads, f.nodes, [&](int64_t n) {
    int32_t* winners = scratch.winners + n * f.features;
    if (f.row_offsets[n] < f.row_offsets[n + 1])
      each_vector(f.features, [&](int64_t c, int64_t here) {
        const Ints winner = collect(f, scratch.weights, n, c, here).winner;
        std::memcpy(winners + c, &winner, static_cast<size_t>(here) * sizeof(int32_t));
      });
    if (!f.dspace) return;
    clear(f.dspace + n * f.places, f.places);
    for (int64_t e = f.row_offsets[n]; e < f.row_offsets[n + 1]; ++e) {
      Floats sums = zero();
      each_vector(f.features, [&](int64_t c, int64_t here) {
        sums =
            product_gradient(f, scratch.winners, n, e, c, here) * load_some(f.h + f.sources[e] * f.features + c, here) +
            sums;
      });
      scratch.slopes[e] = -grav_net_steepness * scratch.weights[e] * sum(sums);
      step(n, f.sources[e], e, f.dspace + n * f.places);
    }
  });
  each_node(threads, f.nodes, [&](int64_t n) {
    const int64_t begin = f.transposed_offsets[n], end = f.transposed_offsets[n + 1];
    if (f.dfeatures)
      each_vector(f.features, [&](int64_t c, int64_t here) {
        Floats gradient = zero();
        for (int64_t p = begin; p < end; ++p)
          gradient = broadcast(scratch.weights[f.edge_ids[p]]) *
                         product_gradient(f, scratch.winners, f.targets[p], f.edge_ids[p], c, here) +
                     gradient;
        store_some(f.dfeatures + n * f.features + c, gradient, here);
      });
    for (int64_t p = begin; p < end && f.dspace; ++p) step(n, f.targets[p], f.edge_ids[p], f.dspace + n * f.places);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, GravNetForwardCall, forward, workspace_of<GravNetForward<float>, GravNetForwardScratch>)
UPS_CPU_VARIANT(backward, GravNetBackwardCall, backward, workspace_of<GravNetBackward<float>, GravNetBackwardScratch>)

UPS_SIMD_END
