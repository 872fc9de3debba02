// Dense products. One kernel for all three forms: y = x W^T (along, along), dx = dz W (along,
// across) and dW = dz^T x (across, across). Floor: 2 rows depth columns FLOP, or the operands once
// through memory.
#include "lib/dense/dense.h"

#include "lib/dense/matmul.cuh"

namespace upsilon {
namespace {

// A large tile reuses operands most; a small one fills the device when there is little to do.
using LargeTile = TileShape<128, 128, 16, 16, 16, 2, 4>;
using SmallTile = TileShape<64, 32, 16, 16, 8, 2, 2>;

struct Product {
  Operand a, b;
  float* c;
  int64_t depth, depth_chunk;  // blockIdx.y takes the chunk of that number and writes a C of its own
  const float* bias;
  int32_t activation;
  RowRange range;
};

// Blocks that a multiprocessor holds, as far as registers go: 512 threads with 128 registers each,
// but large tiles in fp32 would spill a few of 128 and take up to 255.
template <class Shape, int precision>
inline constexpr int blocks_at_once =
    precision == UPS_FP32 && Shape::threads == LargeTile::threads ? 1 : 512 / Shape::threads;

template <class Shape, int precision, Layout layout_a, Layout layout_b>
UPS_KERNEL_LB(Shape::threads, blocks_at_once<Shape, precision>)
multiply(const int32_t* fault, Product p) {
  if (*fault != 0) return;
  constexpr int a_stride = stride_of<precision>(layout_a, Shape::rows, Shape::depth);
  constexpr int b_stride = stride_of<precision>(layout_b, Shape::columns, Shape::depth);
  constexpr int a_floats = tile_floats<precision>(layout_a, Shape::rows, Shape::depth);
  constexpr int stage_floats = a_floats + tile_floats<precision>(layout_b, Shape::columns, Shape::depth);
  static_assert(staging_floats<Shape> <= 2 * stage_floats);
  UPS_SHARED(float4, memory, [2 * stage_floats / 4]);  // float4: for its alignment
  float* const stages = reinterpret_cast<float*>(&memory[0]);

  const int64_t column_tiles = (p.b.lines + Shape::columns - 1) / Shape::columns;
  const int64_t first_row = blockIdx.x / column_tiles * Shape::rows;
  const int64_t first_column = blockIdx.x % column_tiles * Shape::columns;
  const int64_t first_depth = blockIdx.y * p.depth_chunk;
  const int64_t end_depth = ups::min(p.depth, first_depth + p.depth_chunk);
  const auto fetch = [&](int64_t k, int stage) {
    float* const tile = stages + stage * stage_floats;
    fetch_tile<layout_a, Shape::rows, Shape::depth, a_stride, Shape::threads>(tile, p.a, first_row, k, end_depth);
    fetch_tile<layout_b, Shape::columns, Shape::depth, b_stride, Shape::threads>(tile + a_floats, p.b, first_column, k,
                                                                                 end_depth);
  };

  Sums<Shape, precision, layout_a, layout_b> sums;
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

  const int64_t zero_below = p.range.first ? *p.range.first : 0, zero_from = p.range.end ? *p.range.end : p.a.lines;
  float* const c = p.c + static_cast<int64_t>(blockIdx.y) * p.a.lines * p.b.lines;
  store_tile<Shape>(sums, stages, [&](int tile_row, int tile_column, float sum) {
    const int64_t row = first_row + tile_row, column = first_column + tile_column;
    if (row >= p.a.lines || column >= p.b.lines) return;
    const float y = activate_value(p.bias ? sum + p.bias[column] : sum, p.activation);
    c[row * p.b.lines + column] = row < zero_below || row >= zero_from ? 0.0f : y;
  });
}

// result[i] = sum over parts p of parts[p * length + i], in the order of the parts.
template <int threads>
UPS_KERNEL_LB(threads)
add_in_order(const int32_t* fault, const float* parts, int64_t count, int64_t length, float* result) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < length; i += global_threads()) {
    float sum = 0.0f;
    for (int64_t p = 0; p < count; ++p) sum += parts[p * length + i];
    result[i] = sum;
  }
}

template <Layout layout_a, Layout layout_b>
void launch_product(Launcher& launch, int32_t precision, const Product& p) {
  const int64_t chunks = std::max<int64_t>(1, ceil_div(p.depth, p.depth_chunk));
  const auto with_shape = [&](auto shape) {
    using Shape = decltype(shape);
    const int64_t tiles = ceil_div(p.a.lines, Shape::rows) * ceil_div(p.b.lines, Shape::columns);
    const auto kernel = precision == UPS_BF16   ? multiply<Shape, UPS_BF16, layout_a, layout_b>
                        : precision == UPS_TF32 ? multiply<Shape, UPS_TF32, layout_a, layout_b>
                                                : multiply<Shape, UPS_FP32, layout_a, layout_b>;
    launch.grid(kernel, tiles, chunks, Shape::threads, 0, p);
  };
  // Bits must not depend on the device, so the choice depends on the shape alone: from 16 large
  // tiles on.
  constexpr int64_t many = 16 * LargeTile::rows * LargeTile::columns;
  if (p.b.lines > LargeTile::columns / 2 && p.a.lines > LargeTile::rows / 2 && p.a.lines * p.b.lines * chunks >= many)
    with_shape(LargeTile{});
  else with_shape(SmallTile{});
}

// Chunks of rows for dW: enough to fill a device, but no more than 16 MiB of parts.
int64_t chunk_of_rows(int64_t rows, int64_t length) {
  constexpr int64_t max_chunks = 256, max_part_floats = int64_t{4} << 20, min_rows = 256;
  const int64_t chunks = std::clamp<int64_t>(max_part_floats / std::max<int64_t>(length, 1), 1, max_chunks);
  return std::max(min_rows, round_up(ceil_div(rows, chunks), 16));
}

// dz = dy act' for a chunk of rows and 32 columns a block; the 8 warps take rows in turn, and their
// sums are added up in order.
constexpr int slope_columns = 32, slope_warps = 8;

struct Slope {
  const float *y, *dy;
  float *dz, *parts;
  int64_t rows, columns, chunk;
  int32_t activation;
  RowRange range;
};

template <int warps>
UPS_KERNEL_LB(32 * warps)
slope_of_rows(const int32_t* fault, Slope s) {
  if (*fault != 0) return;
  UPS_SHARED(float, sums, [warps][slope_columns]);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t column_blocks = (s.columns + slope_columns - 1) / slope_columns;
  const int64_t chunk = blockIdx.x / column_blocks, column = blockIdx.x % column_blocks * slope_columns + lane;
  const int64_t end = ups::min(s.rows, (chunk + 1) * s.chunk);
  const int64_t zero_below = s.range.first ? *s.range.first : 0, zero_from = s.range.end ? *s.range.end : s.rows;
  float sum = 0.0f;
  if (column < s.columns)
    for (int64_t row = chunk * s.chunk + warp; row < end; row += warps) {
      const int64_t at = row * s.columns + column;
      float dz = s.dy[at];
      if (s.activation != UPS_ACTIVATION_NONE) dz *= activation_slope_at(s.y[at], s.activation);
      if (row < zero_below || row >= zero_from) dz = 0.0f;
      if (s.dz) s.dz[at] = dz;
      sum += dz;
    }
  if (!s.parts) return;  // the same for every thread of the block
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp == 0 && column < s.columns) {
    float total = 0.0f;
    for (int w = 0; w < warps; ++w) total += sums[w][lane];
    s.parts[chunk * s.columns + column] = total;
  }
}

// The last sum, over the chunks, is done by one thread per column.
int64_t slope_chunk(int64_t rows) {
  constexpr int64_t max_chunks = 512, min_rows = 64;
  return std::max(min_rows, ceil_div(rows, max_chunks));
}

}  // namespace

void product_with_weight(Launcher& launch, int32_t precision, const float* a, const float* weight, const float* bias,
                         float* y, int64_t rows, int64_t depth, int64_t columns, int32_t activation, RowRange range) {
  launch_product<Layout::along, Layout::along>(launch, precision,
                                               {operand(a, depth, rows, depth), operand(weight, depth, columns, depth),
                                                y, depth, std::max<int64_t>(depth, 1), bias, activation, range});
}

void product(Launcher& launch, int32_t precision, const float* a, const float* b, float* c, int64_t rows, int64_t depth,
             int64_t columns) {
  launch_product<Layout::along, Layout::across>(launch, precision,
                                                {operand(a, depth, rows, depth),
                                                 operand(b, columns, columns, columns),
                                                 c,
                                                 depth,
                                                 std::max<int64_t>(depth, 1),
                                                 nullptr,
                                                 UPS_ACTIVATION_NONE,
                                                 {}});
}

int64_t transposed_product_floats(int64_t rows, int64_t a_columns, int64_t b_columns) {
  const int64_t chunks = ceil_div(rows, chunk_of_rows(rows, a_columns * b_columns));
  return chunks > 1 ? chunks * a_columns * b_columns : 0;
}

void transposed_product(Launcher& launch, int32_t precision, const float* a, const float* b, float* parts, float* c,
                        int64_t rows, int64_t a_columns, int64_t b_columns) {
  const int64_t length = a_columns * b_columns, chunk = chunk_of_rows(rows, length), chunks = ceil_div(rows, chunk);
  launch_product<Layout::across, Layout::across>(launch, precision,
                                                 {operand(a, a_columns, a_columns, a_columns),
                                                  operand(b, b_columns, b_columns, b_columns),
                                                  chunks > 1 ? parts : c,
                                                  rows,
                                                  chunk,
                                                  nullptr,
                                                  UPS_ACTIVATION_NONE,
                                                  {}});
  if (chunks > 1) launch.elements(add_in_order<block_threads>, length, parts, chunks, length, c);
}

int64_t slope_floats(int64_t rows, int64_t columns) { return ceil_div(rows, slope_chunk(rows)) * columns; }

void slope(Launcher& launch, const float* y, const float* dy, float* dz, float* parts, float* dbias, int64_t rows,
           int64_t columns, int32_t activation, RowRange range) {
  if (!dz && !dbias) return;
  const int64_t chunk = slope_chunk(rows), chunks = ceil_div(rows, chunk);
  launch.grid(slope_of_rows<slope_warps>, chunks * ceil_div(columns, slope_columns), 1, 32 * slope_warps, 0,
              Slope{y, dy, dz, dbias ? parts : nullptr, rows, columns, chunk, activation, range});
  if (dbias) launch.elements(add_in_order<block_threads>, columns, parts, chunks, columns, dbias);
}

DenseScratch::DenseScratch(WorkspaceLayout& workspace, int64_t rows, int64_t depth, int64_t columns,
                           int32_t activation) {
  if (activation != UPS_ACTIVATION_NONE) dz = workspace.reserve<float>(rows * columns);
  parts =
      workspace.reserve<float>(std::max(transposed_product_floats(rows, columns, depth), slope_floats(rows, columns)));
}

void dense_backward(Launcher& launch, int32_t precision, const DenseBackward& layer, const DenseScratch& scratch) {
  const auto& l = layer;
  const bool gelu = l.activation == UPS_ACTIVATION_GELU;
  if (gelu)
    product_with_weight(launch, precision, l.x, l.weight, l.bias, scratch.dz, l.rows, l.depth, l.columns,
                        UPS_ACTIVATION_NONE);
  slope(launch, gelu ? scratch.dz : l.y, l.dy, scratch.dz, scratch.parts, l.dbias, l.rows, l.columns, l.activation);
  const float* dz = scratch.dz ? scratch.dz : l.dy;
  if (l.dx) product(launch, precision, dz, l.weight, l.dx, l.rows, l.columns, l.depth);
  if (l.dweight) transposed_product(launch, precision, dz, l.x, scratch.parts, l.dweight, l.rows, l.columns, l.depth);
}

}  // namespace upsilon
