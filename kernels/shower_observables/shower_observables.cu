// CUDA: a block has a shower. Its warps take the layers, then its threads the columns of cells
// along the axis, in the order of the layers, as every variant does; the second reading of the
// cells, 108 KB for 30^3, is from cache. What is transverse is made of the image of columns, which
// lies in the workspace. Floor: memory, 4 bytes a cell.
#include "lib/math/no_contraction.h"

#include "lib/cuda/cuda.h"

#include "shower_observables/shower_observables.h"
#include "shower_observables/shower_observables_call.h"

namespace upsilon {
namespace {

struct Edges {
  float at[max_bins + 1];
};

// What belongs to one block.
struct Image {
  double *seen, *rows, *slices, *layer;  // seen: [height, width]; rows and slices: its sums over x and over y
};
UPS_HD inline int64_t image_doubles(int64_t layers, int64_t height, int64_t width) {
  return height * width + height + width + layers;
}
UPS_ON_DEVICE Image image_of(const ShowerObservables<float>& f, double* images) {
  double* const own = images + static_cast<int64_t>(blockIdx.x) * image_doubles(f.layers, f.height, f.width);
  return {own, own + f.height * f.width, own + f.height * f.width + f.height,
          own + f.height * f.width + f.height + f.width};
}

UPS_ON_DEVICE int32_t bin_of(const Edges& edges, int64_t bins, float energy) {
  int32_t low = 0, high = static_cast<int32_t>(bins);
  while (high - low > 1) {
    const int32_t middle = (low + high) / 2;
    if (energy >= edges.at[middle]) low = middle;
    else high = middle;
  }
  return low;
}

template <int threads>
UPS_KERNEL_LB(threads)
observe(const int32_t* fault, ShowerObservables<float> f, float threshold, Edges edges, double* images) {
  if (*fault != 0) return;
  UPS_SHARED(int32_t, counts, [max_bins]);
  UPS_SHARED(int32_t, hits, [threads / 32]);
  UPS_SHARED(double, centre, [3]);  // z, y, x
  const auto warp_lanes = ups::Tile<32>::here();
  const int64_t thread = threadIdx.x, warp = thread / 32, warps = threads / 32;
  const int64_t size = f.height * f.width;
  const Image image = image_of(f, images);
  for (int64_t b = blockIdx.x; b < f.showers; b += gridDim.x) {
    const float* const cells = f.cells + b * f.layers * size;
    for (int64_t s = thread; s < max_bins; s += threads) counts[s] = 0;
    __syncthreads();
    int32_t own_hits = 0;
    for (int32_t z = warp; z < f.layers; z += warps) {
      double sum = 0;
      for (int32_t i = warp_lanes.rank; i < size; i += 32) {
        const float value = cells[z * size + i];
        if (value < threshold) continue;
        sum += value;
        ++own_hits;
        if (f.spectrum && f.bins > 0 && value >= edges.at[0] && value < edges.at[f.bins])
          atomicAdd(&counts[bin_of(edges, f.bins, value)], 1);
      }
      sum = warp_lanes.sum(sum);
      if (warp_lanes.rank == 0) image.layer[z] = sum;
    }
    own_hits = warp_lanes.sum(own_hits);
    if (warp_lanes.rank == 0) hits[warp] = own_hits;
    for (int32_t i = thread; i < size; i += threads) {
      double sum = 0;
      for (int32_t z = 0; z < f.layers; ++z) {
        const float value = cells[z * size + i];
        if (!(value < threshold)) sum += value;
      }
      image.seen[i] = sum;
    }
    __syncthreads();
    for (int32_t k = thread; k < f.height + f.width; k += threads) {
      double sum = 0;
      if (k < f.height)
        for (int32_t x = 0; x < f.width; ++x) sum += image.seen[k * f.width + x];
      else
        for (int32_t y = 0; y < f.height; ++y) sum += image.seen[y * f.width + k - f.height];
      image.rows[k] = sum;  // slices follow the rows
    }
    __syncthreads();
    if (thread < 3) {
      double energy = 0, moment = 0;
      for (int32_t y = 0; y < f.height; ++y) energy += image.rows[y];
      const double* const profile = thread == 0 ? image.layer : thread == 1 ? image.rows : image.slices;
      const int64_t extent = thread == 0 ? f.layers : thread == 1 ? f.height : f.width;
      for (int32_t i = 0; i < extent; ++i) moment += rounded_product(static_cast<double>(i), profile[i]);
      centre[thread] = energy == 0 ? static_cast<double>(extent - 1) / 2 : moment / energy;
      if (f.centre) f.centre[3 * b + thread] = static_cast<float>(centre[thread]);
      if (thread == 0 && f.energy) f.energy[b] = static_cast<float>(energy);
    }
    if (thread == 0 && f.hits) {
      int32_t all_hits = 0;
      for (int64_t w = 0; w < warps; ++w) all_hits += hits[w];
      f.hits[b] = all_hits;
    }
    __syncthreads();
    if (f.longitudinal)
      for (int32_t z = thread; z < f.layers; z += threads)
        f.longitudinal[b * f.layers + z] = static_cast<float>(image.layer[z]);
    if (f.spectrum)
      for (int64_t s = thread; s < f.bins; s += threads) f.spectrum[b * f.bins + s] = counts[s];
    if (f.radial) {
      const double axis_y = f.axis ? f.axis[2 * b] : centre[1], axis_x = f.axis ? f.axis[2 * b + 1] : centre[2];
      for (int32_t r = warp; r < f.rings; r += warps) {
        double sum = 0;
        for (int32_t y = 0; y < f.height; ++y)
          for (int32_t x = warp_lanes.rank; x < f.width; x += 32) {
            const double distance2 =
                squared_distance(static_cast<double>(y) - axis_y, static_cast<double>(x) - axis_x, f.rings_per_cell);
            if (is_in_ring(distance2, r)) sum += image.seen[y * f.width + x];
          }
        sum = warp_lanes.sum(sum);
        if (warp_lanes.rank == 0) f.radial[b * f.rings + r] = static_cast<float>(sum);
      }
    }
    __syncthreads();
  }
}

// Enough to fill a device; more showers go through the same blocks, so that their images take no
// more memory.
constexpr int64_t max_images = 1024;

struct Scratch {
  double* images;
  Scratch(const ShowerObservables<float>& f, WorkspaceLayout& workspace)
      : images(
            workspace.reserve<double>(std::min(f.showers, max_images) * image_doubles(f.layers, f.height, f.width))) {}
};

ups_status run(const Call& call) {
  const ShowerObservables<float> f(call);
  Edges edges{};
  for (int64_t s = 0; f.spectrum && f.bins > 0 && s <= f.bins; ++s) edges.at[s] = float_bound(f.edge(s));
  Launcher launch(call);
  launch.grid(observe<block_threads>, std::min(f.showers, max_images), 1, block_threads, 0, f, float_bound(f.threshold),
              edges, scratch_of<Scratch>(call, f).images);
  return launch.status();
}

// Places inside a shower are 32 bits: with 64 the registers do not suffice.
bool supports(const Call& call) {
  const ShowerObservables<float> f(call);
  constexpr int64_t most = 1 << 30;
  const bool narrow = f.layers <= most && f.height <= most && f.width <= most && f.rings <= most;
  return narrow && f.height * f.width <= most;
}

UPS_CUDA_VARIANT(observables, ShowerObservablesCall, run, workspace_of<ShowerObservables<float>, Scratch>, supports)

}  // namespace
}  // namespace upsilon
