// Convolutions as matrix products whose large operand is never made: its tiles are gathered into
// shared memory. Floor: 2 x products FLOP. A block has places of one result phase (towards the fine
// grid; see plan.h), so that only taps that reach it are multiplied, and neighbouring threads fetch
// and store neighbouring places.
#include "lib/convolution/taps.cuh"
#include "lib/convolution/tile_moments.cuh"
#include "lib/convolution/tiles.cuh"

namespace upsilon {
namespace {

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

// What a step of depth, one channel and tap, means: where it looks from a place's own position, and
// its weight.
struct DepthStep {
  int64_t shift[3], source, weight;
  bool exists;
};

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

  // A thread keeps its rows: in every stage it loads some steps of one row, or all steps of several
  // rows.
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

}  // namespace upsilon
