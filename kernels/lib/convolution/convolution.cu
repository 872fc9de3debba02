// Convolutions as matrix products whose large operand is never made: its tiles are gathered into shared memory. Floor: 2 x
// products FLOP. A block has places of one result phase (towards the fine grid; see plan.h), so that only taps
// that reach it are multiplied, and neighbouring threads fetch and store neighbouring places.
#include "lib/convolution/device.h"

#include "lib/dense/matmul.cuh"

namespace upsilon {
namespace {

// By the number of output channels.
using NarrowTile = TileShape<256, 8, 16, 64, 2, 4, 1>;
using MiddleTile = TileShape<64, 32, 16, 16, 8, 2, 2>;
using WideTile = TileShape<64, 64, 16, 16, 8, 2, 2>;

UPS_ON_DEVICE int64_t round_down_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

UPS_ON_DEVICE int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// Along one axis, for the result places of one phase: which taps reach them, and where these look.
struct AxisTaps {
  int64_t first, step, count;  // taps first, first + step, ...
  int64_t source_step, base, tap_shift;  // the source's place is source_step q + base + tap_shift * (number of the tap)
};

UPS_ON_DEVICE AxisTaps taps_of(const ConvolutionAxis& axis, bool coarse, int64_t phase) {
  if (coarse) return {0, 1, axis.kernel, axis.stride, -axis.padding, axis.dilation};
  const int64_t period = axis.stride / greatest_common_divisor(axis.stride, axis.dilation);
  const auto residue = [&](int64_t k) {
    const int64_t at = k * axis.dilation - axis.padding;
    return at - round_down_div(at, axis.stride) * axis.stride;
  };
  int64_t first = 0;
  const int64_t end = ups::min(period, axis.kernel);
  while (first < end && residue(first) != phase) ++first;
  const int64_t count = first < end ? (axis.kernel - first + period - 1) / period : 0;
  return {first,
          period,
          count,
          1,
          -round_down_div(first * axis.dilation - axis.padding, axis.stride),
          -(period * axis.dilation / axis.stride)};
}

struct GatherCall {
  Convolution shape;
  bool coarse;
  int64_t inputs, outputs;
  int64_t phases[3], places[3], result[3], source[3];
  const float *from, *weight, *bias;
  float* to;
  int32_t activation;
  TileMoments* moments;  // by channel, phase and tile; tiles of rows are then of one sample each
};

// What a step of depth, one channel and tap, means: where it looks from a place's own position, and its weight.
struct DepthStep {
  int64_t shift[3], source, weight;
  bool exists;
};

// By a warp together, of those numbers of a tile's column that are places of the result.
UPS_ON_DEVICE TileMoments moments_of_column(const float* column, const bool* exists, int rows) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float count = 0.0f, sum = 0.0f, deviation = 0.0f;
  for (int row = lane; row < rows; row += 32)
    if (exists[row]) {
      count += 1.0f;
      sum += column[row];
    }
  count = ups::warp_sum(count);
  sum = ups::warp_sum(sum);
  const float mean = count > 0 ? sum / count : 0.0f;
  for (int row = lane; row < rows; row += 32)
    if (exists[row]) deviation += (column[row] - mean) * (column[row] - mean);
  return {count, mean, ups::warp_sum(deviation)};
}

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads)
gather_tiles(const int32_t* fault, GatherCall f) {
  if (*fault != 0) return;
  constexpr Layout across = Layout::across, along = Layout::along;
  constexpr int a_stride = stride_of<precision>(across, Shape::rows, Shape::depth);
  constexpr int b_stride = stride_of<precision>(along, Shape::columns, Shape::depth);
  constexpr int a_floats = tile_floats<precision>(across, Shape::rows, Shape::depth);
  constexpr int stage_floats = a_floats + tile_floats<precision>(along, Shape::columns, Shape::depth);
  constexpr int staging_stride = Shape::rows + 1;
  static_assert(staging_stride * Shape::columns <= 2 * stage_floats);
  static_assert(Shape::rows % Shape::threads == 0 || Shape::threads % Shape::rows == 0);
  UPS_SHARED(float4, memory, [2 * stage_floats / 4]);  // float4: for its alignment
  UPS_SHARED(DepthStep, steps, [2][Shape::depth]);
  UPS_SHARED(bool, exists, [Shape::rows]);  // places of the result
  float* const stages = reinterpret_cast<float*>(&memory[0]);
  const int thread = static_cast<int>(threadIdx.x);

  const int64_t places = f.places[0] * f.places[1] * f.places[2];
  const int64_t runs = f.moments ? f.shape.samples : 1, run = f.moments ? places : f.shape.samples * places;
  const int64_t column_tiles = (f.outputs + Shape::columns - 1) / Shape::columns;
  const int64_t row_tiles = (run + Shape::rows - 1) / Shape::rows;
  int64_t rest = blockIdx.x;
  const int64_t first_column = rest % column_tiles * Shape::columns;
  rest /= column_tiles;
  const int64_t row_tile = rest % row_tiles;
  rest /= row_tiles;
  const int64_t rows = (rest % runs + 1) * run, first_row = rows - run + row_tile * Shape::rows;
  rest /= runs;
  const int64_t phase_w = rest % f.phases[2], phase_h = rest / f.phases[2] % f.phases[1];
  rest /= f.phases[2] * f.phases[1];
  const int64_t phase_d = rest % f.phases[0], group = rest / f.phases[0];
  const AxisTaps d = taps_of(f.shape.axes[0], f.coarse, phase_d), h = taps_of(f.shape.axes[1], f.coarse, phase_h),
                 w = taps_of(f.shape.axes[2], f.coarse, phase_w);
  const int64_t taps = d.count * h.count * w.count, depth = f.inputs * taps;
  const int64_t source_places = f.source[0] * f.source[1] * f.source[2];

  const auto describe = [&](int64_t first, int stage) {
    if (thread >= Shape::depth) return;
    const int64_t at = first + thread;
    DepthStep step{};
    step.exists = at < depth;
    if (step.exists) {
      const int64_t channel = at / taps, tap = at % taps;
      const int64_t tw = tap % w.count, th = tap / w.count % h.count, td = tap / w.count / h.count;
      step.shift[0] = d.base + td * d.tap_shift;
      step.shift[1] = h.base + th * h.tap_shift;
      step.shift[2] = w.base + tw * w.tap_shift;
      step.source = channel * source_places;
      const int64_t place =
          ((d.first + td * d.step) * f.shape.axes[1].kernel + h.first + th * h.step) * f.shape.axes[2].kernel +
          w.first + tw * w.step;
      const int64_t of_kernel = f.shape.axes[0].kernel * f.shape.axes[1].kernel * f.shape.axes[2].kernel;
      const int64_t row = f.coarse ? group * f.outputs * f.inputs + channel : (group * f.inputs + channel) * f.outputs;
      step.weight = row * of_kernel + place;
    }
    steps[stage][thread] = step;
  };
  const int64_t weight_column =
      (f.coarse ? f.inputs : 1) * f.shape.axes[0].kernel * f.shape.axes[1].kernel * f.shape.axes[2].kernel;

  // Threads keep their rows: of a stage each has some steps of one row, or all steps of some.
  constexpr int own_rows = Shape::rows > Shape::threads ? Shape::rows / Shape::threads : 1;
  constexpr int row_teams = Shape::rows > Shape::threads ? 1 : Shape::threads / Shape::rows;
  int64_t z[own_rows], y[own_rows], x[own_rows], image[own_rows];
  UPS_UNROLL
  for (int i = 0; i < own_rows; ++i) {
    const int64_t row = first_row + thread % Shape::rows + i * Shape::threads, place = row % places;
    image[i] = row < rows ? (row / places * f.shape.groups + group) * f.inputs * source_places : -1;
    z[i] = place / (f.places[1] * f.places[2]) * d.source_step;
    y[i] = place / f.places[2] % f.places[1] * h.source_step;
    x[i] = place % f.places[2] * w.source_step;
  }
  const auto fetch = [&](int stage) {
    float* const tile = stages + stage * stage_floats;
    for (int k = thread / Shape::rows; k < Shape::depth; k += row_teams) {
      const DepthStep step = steps[stage][k];
      UPS_UNROLL
      for (int i = 0; i < own_rows; ++i) {
        const int64_t at_z = z[i] + step.shift[0], at_y = y[i] + step.shift[1], at_x = x[i] + step.shift[2];
        const bool wanted = step.exists && image[i] >= 0 && at_z >= 0 && at_z < f.source[0] && at_y >= 0 &&
                            at_y < f.source[1] && at_x >= 0 && at_x < f.source[2];
        const int64_t at = image[i] + step.source + (at_z * f.source[1] + at_y) * f.source[2] + at_x;
        ups::cp_async<4>(tile + k * a_stride + thread % Shape::rows + i * Shape::threads,
                         wanted ? f.from + at : f.weight, wanted);
      }
    }
    for (int unit = thread; unit < Shape::columns * Shape::depth; unit += Shape::threads) {
      const int k = unit % Shape::depth, column = unit / Shape::depth;
      const bool wanted = steps[stage][k].exists && first_column + column < f.outputs;
      const int64_t at = steps[stage][k].weight + (first_column + column) * weight_column;
      ups::cp_async<4>(tile + a_floats + column * b_stride + k, wanted ? f.weight + at : f.weight, wanted);
    }
  };

  Sums<Shape, precision, across, along> sums;
  sums.clear();
  describe(0, 0);
  __syncthreads();
  if (depth > 0) fetch(0);
  ups::cp_async_commit();
  describe(Shape::depth, 1);
  __syncthreads();
  int stage = 0;
  for (int64_t k = 0; k < depth; k += Shape::depth, stage ^= 1) {
    if (k + Shape::depth < depth) fetch(stage ^ 1);
    ups::cp_async_commit();
    ups::cp_async_wait<1>();
    __syncthreads();
    const float* const tile = stages + stage * stage_floats;
    sums.add(tile, a_stride, tile + a_floats, b_stride);
    describe(k + 2 * Shape::depth, stage);
    __syncthreads();
  }
  ups::cp_async_wait<0>();
  __syncthreads();

  sums.each([&](int row, int column, float sum) { stages[column * staging_stride + row] = sum; });
  __syncthreads();
  const int64_t result_places = f.result[0] * f.result[1] * f.result[2];
  const int64_t steps_of_result[3] = {f.coarse ? 1 : f.shape.axes[0].stride, f.coarse ? 1 : f.shape.axes[1].stride,
                                      f.coarse ? 1 : f.shape.axes[2].stride};
  for (int unit = thread; unit < Shape::rows * Shape::columns; unit += Shape::threads) {
    const int64_t row = first_row + unit % Shape::rows, column = first_column + unit / Shape::rows;
    if (unit < Shape::rows) exists[unit] = false;
    if (row >= rows || column >= f.outputs) continue;
    const int64_t place = row % places;
    const int64_t to_z = place / (f.places[1] * f.places[2]) * steps_of_result[0] + phase_d;
    const int64_t to_y = place / f.places[2] % f.places[1] * steps_of_result[1] + phase_h;
    const int64_t to_x = place % f.places[2] * steps_of_result[2] + phase_w;
    if (to_z >= f.result[0] || to_y >= f.result[1] || to_x >= f.result[2]) continue;
    const int64_t channel = group * f.outputs + column;
    float& staged = stages[unit / Shape::rows * staging_stride + unit % Shape::rows];
    const float value = activate_value(f.bias ? staged + f.bias[channel] : staged, f.activation);
    f.to[(row / places * f.shape.groups * f.outputs + channel) * result_places +
         (to_z * f.result[1] + to_y) * f.result[2] + to_x] = value;
    if (unit < Shape::rows) exists[unit] = true;
    staged = value;
  }
  if (!f.moments) return;
  __syncthreads();
  const int64_t phases = f.phases[0] * f.phases[1] * f.phases[2];
  const int64_t phase = (phase_d * f.phases[1] + phase_h) * f.phases[2] + phase_w;
  for (int column = thread / 32; column < Shape::columns && first_column + column < f.outputs;
       column += Shape::threads / 32) {
    const TileMoments found = moments_of_column(stages + column * staging_stride, exists, Shape::rows);
    const int64_t channel = (first_row / places * f.shape.groups + group) * f.outputs + first_column + column;
    if (thread % 32 == 0) f.moments[(channel * phases + phase) * row_tiles + row_tile] = found;
  }
}

// A warp joins the tiles of a channel.
template <int threads>
UPS_KERNEL_LB(threads)
join_moments(const int32_t* fault, const TileMoments* parts, int64_t tiles, int64_t channels, double* moments) {
  if (*fault != 0) return;
  const int64_t lane = threadIdx.x % 32;
  for (int64_t channel = global_thread() / 32; channel < channels; channel += global_threads() / 32) {
    const TileMoments* const of_channel = parts + channel * tiles;
    double count = 0, sum = 0, deviation = 0;
    for (int64_t tile = lane; tile < tiles; tile += 32) {
      count += of_channel[tile].count;
      sum += static_cast<double>(of_channel[tile].count) * of_channel[tile].mean;
    }
    count = ups::warp_sum(count);
    sum = ups::warp_sum(sum);
    const double mean = count > 0 ? sum / count : 0.0;
    for (int64_t tile = lane; tile < tiles; tile += 32) {
      const double off = of_channel[tile].mean - mean;
      deviation += of_channel[tile].deviation + of_channel[tile].count * off * off;
    }
    deviation = ups::warp_sum(deviation);
    if (lane != 0) continue;
    moments[2 * channel] = mean;
    moments[2 * channel + 1] = count > 0 ? deviation / count : 0.0;
  }
}

struct WeightCall {
  Convolution shape;
  const float *fine, *coarse;
  float* to;  // a dW for each chunk
  int64_t chunk;
};

// Rows are coarse channels, columns fine channels and taps, and the depth runs over samples and coarse places.
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

// result[i] = the sum over parts p of parts[p * length + i], in the order of the parts.
template <int threads, class Part>
UPS_KERNEL_LB(threads)
add_parts(const int32_t* fault, const Part* parts, int64_t count, int64_t length, float* result) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < length; i += global_threads()) {
    Part sum = 0;
    for (int64_t p = 0; p < count; ++p) sum += parts[p * length + i];
    result[i] = static_cast<float>(sum);
  }
}

// A block sums one channel of one sample.
template <int threads>
UPS_KERNEL_LB(threads)
sum_places(const int32_t* fault, const float* values, int64_t places, double* parts) {
  if (*fault != 0) return;
  UPS_SHARED(double, sums, [threads / 32]);
  const float* const from = values + static_cast<int64_t>(blockIdx.x) * places;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < places; i += threads) sum += static_cast<double>(from[i]);
  sum = ups::warp_sum(sum);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < threads / 32; ++warp) sum += sums[warp];
  parts[blockIdx.x] = sum;
}

template <int threads>
UPS_KERNEL_LB(threads)
multiply_slopes(const int32_t* fault, const float* y_or_z, const float* dy, float* dz, int64_t count,
                int32_t activation) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads())
    dz[i] = dy[i] * activation_slope_at(y_or_z[i], activation);
}

// Chunks of places for dW: enough to fill a device, but no more than 16 MiB of parts.
int64_t chunk_of_places(const Convolution& shape) {
  constexpr int64_t most_chunks = 256, most_part_floats = int64_t{4} << 20, fewest_places = 256;
  const int64_t depth = shape.samples * shape.coarse_places();
  const int64_t chunks =
      std::clamp<int64_t>(most_part_floats / std::max<int64_t>(shape.weight_count(), 1), 1, most_chunks);
  return std::max(fewest_places, round_up(ceil_div(depth, chunks), 16));
}
int64_t chunks_of(const Convolution& shape) {
  return std::max<int64_t>(1, ceil_div(shape.samples * shape.coarse_places(), chunk_of_places(shape)));
}

// Launches kernel(shape, precision), both as types.
template <class Kernel>
void with_precision(int32_t precision, Kernel&& kernel) {
  if (precision == UPS_BF16) kernel(std::integral_constant<int, UPS_BF16>{});
  else if (precision == UPS_TF32) kernel(std::integral_constant<int, UPS_TF32>{});
  else kernel(std::integral_constant<int, UPS_FP32>{});
}

}  // namespace

namespace {

int64_t phases_of(const ConvolutionAxis& axis, Towards towards) {
  return towards == Towards::coarse ? 1 : std::min(axis.stride, axis.fine);
}
// Of one phase.
int64_t places_of(const ConvolutionAxis& axis, Towards towards) {
  return towards == Towards::coarse ? axis.coarse : ceil_div(axis.fine, axis.stride);
}
int64_t rows_of_tile(int64_t outputs) {
  return outputs <= NarrowTile::columns   ? NarrowTile::rows
         : outputs <= MiddleTile::columns ? MiddleTile::rows
                                          : WideTile::rows;
}

}  // namespace

int64_t tile_moments(const Convolution& shape, Towards towards) {
  int64_t phases = 1, places = 1;
  for (const ConvolutionAxis& axis : shape.axes) phases *= phases_of(axis, towards), places *= places_of(axis, towards);
  const int64_t outputs = towards == Towards::coarse ? shape.coarse_channels : shape.fine_channels;
  return shape.samples * shape.groups * outputs * phases * ceil_div(places, rows_of_tile(outputs));
}

void gather(Launcher& launch, int32_t precision, const Convolution& shape, Towards towards, const float* source,
            const float* weight, const float* bias, int32_t activation, float* result,
            const ConvolutionMoments& moments) {
  const bool coarse = towards == Towards::coarse;
  GatherCall f{shape,
               coarse,
               coarse ? shape.fine_channels : shape.coarse_channels,
               coarse ? shape.coarse_channels : shape.fine_channels,
               {},
               {},
               {},
               {},
               source,
               weight,
               bias,
               result,
               activation,
               moments.moments ? moments.tiles : nullptr};
  int64_t phases = shape.groups;
  for (int a = 0; a < 3; ++a) {
    const ConvolutionAxis& axis = shape.axes[a];
    f.phases[a] = phases_of(axis, towards);
    f.places[a] = places_of(axis, towards);
    f.result[a] = coarse ? axis.coarse : axis.fine;
    f.source[a] = coarse ? axis.fine : axis.coarse;
    phases *= f.phases[a];
  }
  const int64_t places = f.places[0] * f.places[1] * f.places[2];
  const int64_t runs = f.moments ? shape.samples : 1, run = f.moments ? places : shape.samples * places;
  with_precision(precision, [&](auto number) {
    constexpr int by = decltype(number)::value;
    const auto with_shape = [&](auto tile) {
      using Shape = decltype(tile);
      launch.grid(gather_tiles<Shape, by>,
                  phases * runs * ceil_div(run, Shape::rows) * ceil_div(f.outputs, Shape::columns), 1, Shape::threads,
                  0, f);
    };
    if (f.outputs <= NarrowTile::columns) with_shape(NarrowTile{});
    else if (f.outputs <= MiddleTile::columns) with_shape(MiddleTile{});
    else with_shape(WideTile{});
  });
  if (!moments.moments) return;
  const int64_t channels = shape.samples * shape.groups * f.outputs;
  const int64_t tiles = channels > 0 ? tile_moments(shape, towards) / channels : 0;
  launch.elements(join_moments<block_threads>, 32 * channels, moments.tiles, tiles, channels, moments.moments);
}

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

void channel_sums(Launcher& launch, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result) {
  launch.grid(sum_places<block_threads>, samples * channels, 1, block_threads, 0, values, places, parts);
  launch.elements(add_parts<block_threads, double>, channels, parts, samples, channels, result);
}

void slopes(Launcher& launch, const float* y_or_z, const float* dy, float* dz, int64_t count, int32_t activation) {
  launch.elements(multiply_slopes<block_threads>, count, y_or_z, dy, dz, count, activation);
}

}  // namespace upsilon
