// CUDA: the weights of all edges first, a thread each; then a thread for every node and channel
// finds mean and maximum in one pass over the edges. Backward: a warp adds up what arrives at each
// edge's distance, then every node collects from the edges into it and out of it. Floor: the
// gathered rows of h, 4 P bytes an edge.
#include "grav_net/grav_net.h"

#include "lib/segments/counting_sort.h"
#include "grav_net/grav_net_call.h"

namespace upsilon {
namespace {

// Edges in no row have weight 0.
template <int threads>
UPS_KERNEL_LB(threads)
weigh_edges(const int32_t* fault, GravNet<float> f, float* weights) {
  if (*fault != 0) return;
  for (int64_t e = global_thread(); e < f.edges; e += global_threads()) {
    float weight = 0.0f;
    if (e >= f.row_offsets[0] && e < f.row_offsets[f.nodes]) {
      const int64_t i = lower_bound(f.row_offsets, f.nodes + 1, e + 1) - 1, j = f.sources[e];
      float distance = 0.0f;
      for (int64_t d = 0; d < f.places; ++d) {
        const float difference = f.space[i * f.places + d] - f.space[j * f.places + d];
        distance += difference * difference;
      }
      weight = expf(-grav_net_steepness * distance);
    }
    weights[e] = weight;
  }
}

// Either result may be null.
template <int threads>
UPS_KERNEL_LB(threads)
collect(const int32_t* fault, GravNet<float> f, const float* weights, float* y, int32_t* winners) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < f.nodes * f.features; at += global_threads()) {
    const int64_t n = at / f.features, c = at % f.features;
    const int32_t begin = f.row_offsets[n], end = f.row_offsets[n + 1];
    float sum = 0.0f, largest = 0.0f;
    int32_t winner = -1;
    for (int32_t e = begin; e < end; ++e) {
      const float next = weights[e] * f.h[static_cast<int64_t>(f.sources[e]) * f.features + c];
      sum += next;
      if (e == begin || (largest == largest && !(next <= largest))) {
        largest = next;
        winner = e;
      }
    }
    if (y) {
      y[2 * n * f.features + f.mean_at + c] = begin < end ? sum / static_cast<float>(end - begin) : 0.0f;
      y[2 * n * f.features + f.max_at + c] = largest;
    }
    if (winners) winners[at] = winner;
  }
}

ups_status forward(const Call& call) {
  const GravNetForward<float> f(call);
  float* const weights = scratch_of<GravNetForwardScratch>(call, f).weights;
  Launcher launch(call);
  launch.elements(weigh_edges<block_threads>, f.edges, f, weights);
  launch.elements(collect<block_threads>, f.nodes * f.features, f, weights, f.y, nullptr);
  return launch.status();
}

// What arrives at w h of an edge into node n.
UPS_ON_DEVICE float product_gradient(const GravNetBackward<float>& f, const int32_t* winners, int64_t n, int64_t edge,
                                     int64_t c) {
  const float* const dy = f.dy + 2 * n * f.features;
  const float of_mean = dy[f.mean_at + c] / static_cast<float>(f.row_offsets[n + 1] - f.row_offsets[n]);
  return winners[n * f.features + c] == edge ? of_mean + dy[f.max_at + c] : of_mean;
}

// slopes[e]: what arrives at the squared distance of an edge.
template <int threads>
UPS_KERNEL_LB(threads)
find_slopes(const int32_t* fault, GravNetBackward<float> f, const float* weights, const int32_t* winners,
            float* slopes) {
  if (*fault != 0) return;
  const ups::Tile<32> warp = ups::Tile<32>::here();
  for (int64_t e = global_thread() / 32; e < f.edges; e += global_threads() / 32) {
    float sum = 0.0f;
    if (e >= f.row_offsets[0] && e < f.row_offsets[f.nodes]) {
      const int64_t n = lower_bound(f.row_offsets, f.nodes + 1, e + 1) - 1;
      for (int64_t c = warp.rank; c < f.features; c += 32)
        sum += product_gradient(f, winners, n, e, c) * f.h[static_cast<int64_t>(f.sources[e]) * f.features + c];
    }
    sum = warp.sum(sum);
    if (warp.rank == 0) slopes[e] = -grav_net_steepness * weights[e] * sum;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
move_places(const int32_t* fault, GravNetBackward<float> f, const float* slopes) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < f.nodes * f.places; at += global_threads()) {
    const int64_t n = at / f.places, d = at % f.places;
    float sum = 0.0f;
    const auto add = [&](int64_t edge, int64_t other) {
      sum += 2.0f * slopes[edge] * (f.space[at] - f.space[other * f.places + d]);
    };
    for (int32_t e = f.row_offsets[n]; e < f.row_offsets[n + 1]; ++e) add(e, f.sources[e]);
    for (int32_t p = f.transposed_offsets[n]; p < f.transposed_offsets[n + 1]; ++p) add(f.edge_ids[p], f.targets[p]);
    f.dspace[at] = sum;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
sum_features(const int32_t* fault, GravNetBackward<float> f, const float* weights, const int32_t* winners) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < f.nodes * f.features; at += global_threads()) {
    const int64_t n = at / f.features, c = at % f.features;
    float sum = 0.0f;
    for (int32_t p = f.transposed_offsets[n]; p < f.transposed_offsets[n + 1]; ++p)
      sum += weights[f.edge_ids[p]] * product_gradient(f, winners, f.targets[p], f.edge_ids[p], c);
    f.dfeatures[at] = sum;
  }
}

ups_status backward(const Call& call) {
  const GravNetBackward<float> f(call);
  const auto scratch = scratch_of<GravNetBackwardScratch>(call, f);
  Launcher launch(call);
  launch.elements(weigh_edges<block_threads>, f.edges, f, scratch.weights);
  launch.elements(collect<block_threads>, f.nodes * f.features, f, scratch.weights, nullptr, scratch.winners);
  if (f.dspace) {
    launch.elements(find_slopes<block_threads>, f.edges * 32, f, scratch.weights, scratch.winners, scratch.slopes);
    launch.elements(move_places<block_threads>, f.nodes * f.places, f, scratch.slopes);
  }
  if (f.dfeatures)
    launch.elements(sum_features<block_threads>, f.nodes * f.features, f, scratch.weights, scratch.winners);
  return launch.status();
}

// Positions of edges are 32-bit.
template <class Named>
bool supports(const Call& call) {
  return Named(call).dim("E") <= INT32_MAX;
}

UPS_CUDA_VARIANT(forward, GravNetForwardCall, forward, workspace_of<GravNetForward<float>, GravNetForwardScratch>,
                 supports<GravNetForwardCall>)
UPS_CUDA_VARIANT(backward, GravNetBackwardCall, backward, workspace_of<GravNetBackward<float>, GravNetBackwardScratch>,
                 supports<GravNetBackwardCall>)

}  // namespace
}  // namespace upsilon
