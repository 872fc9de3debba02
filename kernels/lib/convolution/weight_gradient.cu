// The gradient of a convolution's weight: a matrix product over samples and places, in fixed
// chunks. Floor: 2 x products FLOP. The fine grid is gathered into shared memory as its taps look
// at it.
#include "lib/convolution/tiles.cuh"

namespace upsilon {
namespace {

struct WeightCall {
  Convolution shape;
  const float *fine, *coarse;
  float* to;  // a dW for each chunk
  int64_t chunk;
};

// Rows are coarse channels, columns fine channels and taps, and the depth runs over samples and
// coarse places.
template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads)
weight_tiles(const int32_t* fault, WeightCall f) {
  if (*fault != 0) return;
  constexpr Layout along = Layout::along;
  constexpr int a_stride = stride_of<precision>(along, Shape::rows, Shape::depth);
  constexpr int b_stride = stride_of<precision>(along, Shape::columns, Shape::depth);
  constexpr int a_floats = tile_floats<precision>(along, Shape::rows, Shape::depth);
  constexpr int stage_floats = a_floats + tile_floats<precision>(along, Shape::columns, Shape::depth);
  static_assert(staging_floats<Shape> <= 2 * stage_floats && Shape::threads % Shape::depth == 0);
  UPS_SHARED(float4, memory, [2 * stage_floats / 4]);  // float4: for its alignment
  float* const stages = reinterpret_cast<float*>(&memory[0]);
  const int thread = static_cast<int>(threadIdx.x);

  const auto& [d, h, w] = f.shape.axes;
  const int64_t taps = d.kernel * h.kernel * w.kernel, columns = f.shape.fine_channels * taps;
  const int64_t coarse_places = d.coarse * h.coarse * w.coarse, fine_places = d.fine * h.fine * w.fine;
  const int64_t column_tiles = (columns + Shape::columns - 1) / Shape::columns;
  const int64_t row_tiles = (f.shape.coarse_channels + Shape::rows - 1) / Shape::rows;
  const int64_t first_column = blockIdx.x % column_tiles * Shape::columns;
  const int64_t first_row = blockIdx.x / column_tiles % row_tiles * Shape::rows;
  const int64_t group = blockIdx.x / column_tiles / row_tiles;
  const int64_t first_depth = blockIdx.y * f.chunk;
  const int64_t end_depth = ups::min(f.shape.samples * coarse_places, first_depth + f.chunk);

  // A thread has one place of a stage, and the same columns all along.
  constexpr int teams = Shape::threads / Shape::depth, own_columns = Shape::columns / teams;
  const int own_place = thread % Shape::depth, team = thread / Shape::depth;
  int64_t shift_z[own_columns], shift_y[own_columns], shift_x[own_columns], channel[own_columns];
  UPS_UNROLL
  for (int i = 0; i < own_columns; ++i) {
    const int64_t column = first_column + team + i * teams, tap = column % taps;
    shift_z[i] = tap / (h.kernel * w.kernel) * d.dilation - d.padding;
    shift_y[i] = tap / w.kernel % h.kernel * h.dilation - h.padding;
    shift_x[i] = tap % w.kernel * w.dilation - w.padding;
    channel[i] = column < columns ? column / taps * fine_places : -1;
  }
  const auto fetch = [&](int64_t first, int stage) {
    float* const tile = stages + stage * stage_floats;
    const int64_t depth = first + own_place, place = depth % coarse_places;
    const bool exists = depth < end_depth;
    const int64_t image = depth / coarse_places * f.shape.groups + group;
    for (int row = team; row < Shape::rows; row += teams) {
      const bool wanted = exists && first_row + row < f.shape.coarse_channels;
      const int64_t at = (image * f.shape.coarse_channels + first_row + row) * coarse_places + place;
      ups::cp_async<4>(tile + row * a_stride + own_place, wanted ? f.coarse + at : f.coarse, wanted);
    }
    const int64_t z = place / (h.coarse * w.coarse) * d.stride, y = place / w.coarse % h.coarse * h.stride,
                  x = place % w.coarse * w.stride;
    UPS_UNROLL
    for (int i = 0; i < own_columns; ++i) {
      const int64_t at_z = z + shift_z[i], at_y = y + shift_y[i], at_x = x + shift_x[i];
      const bool wanted = exists && channel[i] >= 0 && at_z >= 0 && at_z < d.fine && at_y >= 0 && at_y < h.fine &&
                          at_x >= 0 && at_x < w.fine;
      const int64_t at =
          image * f.shape.fine_channels * fine_places + channel[i] + (at_z * h.fine + at_y) * w.fine + at_x;
      ups::cp_async<4>(tile + a_floats + (team + i * teams) * b_stride + own_place, wanted ? f.fine + at : f.coarse,
                       wanted);
    }
  };

  Sums<Shape, precision, along, along> sums;
  sums.clear();
  if (first_depth < end_depth) fetch(first_depth, 0);
  ups::cp_async_commit();
  int stage = 0;
  for (int64_t k = first_depth; k < end_depth; k += Shape::depth, stage ^= 1) {
    if (k + Shape::depth < end_depth) fetch(k + Shape::depth, stage ^ 1);
    ups::cp_async_commit();
    ups::cp_async_wait<1>();
    __syncthreads();
    const float* const tile = stages + stage * stage_floats;
    sums.add(tile, a_stride, tile + a_floats, b_stride);
    __syncthreads();
  }
  ups::cp_async_wait<0>();

  float* const to =
      f.to + (static_cast<int64_t>(blockIdx.y) * f.shape.groups + group) * f.shape.coarse_channels * columns;
  store_tile<Shape>(sums, stages, [&](int row, int column, float sum) {
    if (first_row + row < f.shape.coarse_channels && first_column + column < columns)
      to[(first_row + row) * columns + first_column + column] = sum;
  });
}

// Chunks of places for dW: enough to fill a device, but no more than 16 MiB of parts.
int64_t chunk_of_places(const Convolution& shape) {
  constexpr int64_t max_chunks = 256, max_part_floats = int64_t{4} << 20, min_places = 256;
  const int64_t depth = shape.samples * shape.coarse_places();
  const int64_t chunks =
      std::clamp<int64_t>(max_part_floats / std::max<int64_t>(shape.weight_count(), 1), 1, max_chunks);
  return std::max(min_places, round_up(ceil_div(depth, chunks), 16));
}
int64_t chunks_of(const Convolution& shape) {
  return std::max<int64_t>(1, ceil_div(shape.samples * shape.coarse_places(), chunk_of_places(shape)));
}

}  // namespace

int64_t weight_gradient_floats(const Convolution& shape) {
  const int64_t chunks = chunks_of(shape);
  return chunks > 1 ? chunks * shape.weight_count() : 0;
}

void weight_gradient(Launcher& launch, int32_t precision, const Convolution& shape, const float* fine,
                     const float* coarse, float* parts, float* dweight) {
  const int64_t chunks = chunks_of(shape), count = shape.weight_count();
  const WeightCall f{shape, fine, coarse, chunks > 1 ? parts : dweight, chunk_of_places(shape)};
  using Shape = MiddleTile;
  const int64_t tiles = shape.groups * ceil_div(shape.coarse_channels, Shape::rows) *
                        ceil_div(shape.fine_channels * shape.taps(), Shape::columns);
  with_precision(precision, [&](auto number) {
    launch.grid(weight_tiles<Shape, decltype(number)::value>, tiles, chunks, Shape::threads, 0, f);
  });
  if (chunks > 1) launch.elements(add_parts<block_threads, float>, count, parts, chunks, count, dweight);
}

}  // namespace upsilon
