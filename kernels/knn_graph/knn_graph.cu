// CUDA: a warp for each point. Its lanes hold the 32 nearest so far in order, one each; 32
// candidates at a time are compared with the last of them, and those that are nearer move in by a
// shuffle. Rows of more than 32 neighbours take further passes, which begin behind the last
// neighbour found. Floor: 3 n D FLOP in float64 per point and pass.
#include "lib/cuda/cuda.h"
#include "lib/segments/counting_sort.h"
#include "knn_graph/knn_graph_call.h"

namespace upsilon {
namespace {

constexpr int32_t nobody = INT32_MAX;

struct Rows {
  KnnGraph<float> f;
  int32_t* event_edges;  // [B + 1]: the edges before each event
};

UPS_ON_DEVICE int64_t length_of_row(const KnnGraph<float>& f, int64_t size) {
  const int64_t all = f.loop || size == 0 ? size : size - 1;
  return all < f.most ? all : f.most;
}

// One warp adds up the edges of the events.
template <int threads>
UPS_KERNEL_LB(threads)
count_edges(const int32_t* fault, Rows rows) {
  if (*fault != 0) return;
  const KnnGraph<float>& f = rows.f;
  int64_t before = 0;
  for (int64_t first = 0; first <= f.events; first += 32) {
    const int64_t event = first + threadIdx.x;
    int64_t own = 0;
    if (event < f.events) {
      const int64_t size = f.offsets[event + 1] - f.offsets[event];
      own = size * length_of_row(f, size);
    }
    const int64_t inclusive = ups::Tile<32>::here().inclusive_sum(own);
    if (event <= f.events) rows.event_edges[event] = static_cast<int32_t>(before + inclusive - own);
    before += ups::Tile<32>::here().shfl(inclusive, 31);
  }
}

// The event of a point that lies in one: the last that begins at or before it.
UPS_ON_DEVICE int64_t event_of(const KnnGraph<float>& f, int64_t point) {
  return lower_bound(f.offsets, f.events + 1, point + 1) - 1;
}

template <int threads>
UPS_KERNEL_LB(threads)
lay_out(const int32_t* fault, Rows rows) {
  if (*fault != 0) return;
  const KnnGraph<float>& f = rows.f;
  for (int64_t i = global_thread(); i <= f.points; i += global_threads()) {
    int64_t at = i < f.offsets[0] ? 0 : rows.event_edges[f.events];
    if (i >= f.offsets[0] && i < f.offsets[f.events]) {
      const int64_t event = event_of(f, i), begin = f.offsets[event];
      at = rows.event_edges[event] + (i - begin) * length_of_row(f, f.offsets[event + 1] - begin);
    }
    f.row_offsets[i] = static_cast<int32_t>(at);
  }
}

UPS_ON_DEVICE double rounded_square(double difference) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(difference, difference);
#else
  return difference * difference;
#endif
}

UPS_ON_DEVICE bool before(double distance, int32_t index, double other, int32_t other_index) {
  return distance < other || (distance == other && index < other_index);
}

template <int threads>
UPS_KERNEL_LB(threads)
find_neighbours(const int32_t* fault, KnnGraph<float> f) {
  if (*fault != 0) return;
  const ups::Tile<32> warp = ups::Tile<32>::here();
  for (int64_t i = global_thread() / 32; i < f.points; i += global_threads() / 32) {
    const int64_t edges = f.row_offsets[i], length = f.row_offsets[i + 1] - edges;
    if (length == 0) continue;  // the same for the whole warp
    const int64_t event = event_of(f, i), begin = f.offsets[event], end = f.offsets[event + 1];
    double last_distance = -1.0;
    int32_t last = -1;
    for (int64_t done = 0; done < length; done += 32) {
      const int here = static_cast<int>(ups::min<int64_t>(length - done, 32));
      double nearest = INFINITY;
      int32_t index = nobody;
      for (int64_t first = begin; first < end; first += 32) {
        const int64_t j = first + warp.rank;
        double distance = INFINITY;
        int32_t candidate = nobody;
        if (j < end && (f.loop || j != i)) {
          distance = 0.0;
          for (int64_t d = 0; d < f.width; ++d)
            distance +=
                rounded_square(static_cast<double>(f.x[i * f.width + d]) - static_cast<double>(f.x[j * f.width + d]));
          candidate = static_cast<int32_t>(j);
          if (!before(last_distance, last, distance, candidate)) {  // found in an earlier pass
            distance = INFINITY;
            candidate = nobody;
          }
        }
        const double farthest = warp.shfl(nearest, here - 1);
        const int32_t farthest_index = warp.shfl(index, here - 1);
        unsigned wanted = warp.ballot(before(distance, candidate, farthest, farthest_index));
        for (; wanted != 0; wanted &= wanted - 1) {
          const int source = __ffs(static_cast<int>(wanted)) - 1;
          const double moving = warp.shfl(distance, source);
          const int32_t moving_index = warp.shfl(candidate, source);
          const bool behind = before(moving, moving_index, nearest, index);
          const int place = 32 - __popc(warp.ballot(behind));
          const double previous = warp.shfl_up(nearest, 1);
          const int32_t previous_index = warp.shfl_up(index, 1);
          if (behind) {
            nearest = warp.rank == place ? moving : previous;
            index = warp.rank == place ? moving_index : previous_index;
          }
        }
      }
      if (warp.rank < here) f.sources[edges + done + warp.rank] = index;
      last_distance = warp.shfl(nearest, here - 1);
      last = warp.shfl(index, here - 1);
    }
  }
}

struct Scratch {
  int32_t* event_edges;
  Scratch(const KnnGraph<float>& f, WorkspaceLayout& workspace)
      : event_edges(workspace.reserve<int32_t>(f.events + 1)) {}
};

ups_status run(const Call& call) {
  const KnnGraph<float> f(call);
  const Rows rows{f, scratch_of<Scratch>(call, f).event_edges};
  Launcher launch(call);
  launch.clear(f.sources, static_cast<size_t>(f.points * f.most) * sizeof(int32_t));
  launch.grid(count_edges<32>, 1, 1, 32, 0, rows);
  launch.elements(lay_out<block_threads>, f.points + 1, rows);
  if (f.most > 0) launch.elements(find_neighbours<block_threads>, f.points * 32, f);
  return launch.status();
}

UPS_CUDA_VARIANT(knn_graph, KnnGraphCall, run, workspace_of<KnnGraph<float>, Scratch>)

}  // namespace
}  // namespace upsilon
