// Floor: 2 N (sum of M_l M_(l-1)) FLOP forward and three times that backward, or x once through memory. The gradients of
// the parameters go through the cache once a tile: 8 bytes for 384 FLOP.
#include "common/pooled_tiles.h"

#include "common/panel.cuh"
#include "common/segment_pools.cuh"

namespace upsilon {
namespace {

constexpr int group = 8;
template <class Shape>
constexpr int tile_window = Shape::rows - group + 1;

// All panels of a block besides PanelMemory: 163 KiB are there on compute capability 8.0, and mlp's limit forward.
constexpr int64_t most_forward_bytes = 136 * 1024, most_backward_bytes = 141 * 1024;

struct TileLayer {
  Operand weight, transposed;  // lines are outputs, or inputs
  const float* bias;
  int32_t inputs, outputs, activation;
};

struct Tiles {
  const int32_t* offsets;
  const float *x, *particle_weights;
  int64_t particles, sets;
  int32_t layers;
  TileLayer layer[UPS_MLP_MAX_LAYERS];
  // Floats before the panel of the inputs of layer l, and before that of a layer's sums before its activation: the same
  // as that of its results where slopes are taken from these.
  int32_t panel[UPS_MLP_MAX_LAYERS + 1], sums[UPS_MLP_MAX_LAYERS + 1];
  int32_t floats;  // of all panels

  UPS_HD int64_t width(int32_t l) const { return l == 0 ? layer[0].inputs : layer[l - 1].outputs; }
  UPS_HD int64_t last_width() const { return width(layers); }
};

template <int precision>
UPS_ON_DEVICE int stride_of_width(int64_t width) {
  return static_cast<int>(panel_stride<precision>(padded_depth<PanelTile>(width)));
}
int64_t panel_floats(int64_t width) {
  return panel_bytes(padded_depth<PanelTile>(width)) / static_cast<int64_t>(sizeof(float));
}

bool has_own_sums(const PooledLayers<float>& f, int32_t l) { return f.activation[l] == UPS_ACTIVATION_GELU; }

// Forward: inputs of even layers share a panel, and those of odd ones (the results are inputs of a layer more).
int64_t shared_panel_floats(const PooledLayers<float>& f, int32_t first) {
  int64_t most = 0;
  for (int32_t l = first; l <= f.layers; l += 2) most = std::max(most, panel_floats(f.widths[l]));
  return most;
}
int64_t forward_floats(const PooledLayers<float>& f) { return shared_panel_floats(f, 0) + shared_panel_floats(f, 1); }

int64_t backward_floats(const PooledLayers<float>& f) {
  int64_t floats = PanelTile::columns;  // a tile of a gradient looks so far behind the last panel
  for (int32_t l = 0; l <= f.layers; ++l)
    floats += panel_floats(f.widths[l]) * (l > 0 && has_own_sums(f, l - 1) ? 2 : 1);
  return floats;
}

Tiles tiles_of(const PooledLayers<float>& f, bool backward) {
  Tiles tiles{f.offsets, f.x, f.particle_weights, f.particles, f.sets, f.layers, {}, {}, {}, 0};
  const auto count = [](int64_t number) { return static_cast<int32_t>(number); };
  for (int32_t l = 0; l < f.layers; ++l)
    tiles.layer[l] = {operand(f.weight[l], f.inputs(l), f.outputs(l), f.inputs(l)),
                      operand(f.weight[l], f.inputs(l), f.inputs(l), f.inputs(l)),
                      f.bias[l],
                      count(f.inputs(l)),
                      count(f.outputs(l)),
                      f.activation[l]};
  tiles.floats = count(backward ? backward_floats(f) : forward_floats(f));
  int64_t at = 0;
  for (int32_t l = 0; l <= f.layers; ++l) {
    if (!backward) {
      tiles.panel[l] = tiles.sums[l] = l % 2 == 0 ? 0 : count(shared_panel_floats(f, 0));
      continue;
    }
    tiles.panel[l] = tiles.sums[l] = count(at);
    at += panel_floats(f.widths[l]);
    if (l == 0 || !has_own_sums(f, l - 1)) continue;
    tiles.sums[l] = count(at);
    at += panel_floats(f.widths[l]);
  }
  return tiles;
}

int64_t tile_count(const PooledLayers<float>& f) { return ceil_div(f.particles, tile_window<PanelTile>); }

// The first group that begins at or behind a position, or the end of all sets.
UPS_ON_DEVICE int64_t group_from(const Tiles& f, int64_t position) {
  const int64_t first = f.sets > 0 ? f.offsets[0] : 0, end = f.sets > 0 ? f.offsets[f.sets] : 0;
  if (position <= first || position >= end) return position <= first ? first : end;
  const int64_t set = row_at(f.offsets, f.sets, position), begin = f.offsets[set];
  return ups::min<int64_t>(f.offsets[set + 1], begin + (position - begin + group - 1) / group * group);
}

struct TileRows {
  int64_t begin;
  int rows;
};
template <class Shape>
UPS_ON_DEVICE TileRows rows_of_tile(const Tiles& f, int64_t tile) {
  const int64_t begin = group_from(f, tile * tile_window<Shape>);
  return {begin, static_cast<int>(group_from(f, (tile + 1) * tile_window<Shape>) - begin)};
}

// Whether the groups of a set that is not empty begin in several tiles.
template <class Shape>
UPS_ON_DEVICE bool is_cut(int64_t begin, int64_t end) {
  const int64_t last_group = begin + (end - 1 - begin) / group * group;
  return begin / tile_window<Shape> != last_group / tile_window<Shape>;
}

// Takes a tile through all layers. What lies in no row or column is 0, as far as products look. Begins with barriers
// behind what writes `sets`, ends without.
template <class Shape, int precision>
UPS_ON_DEVICE void apply_layers(const Tiles& f, const TileRows& tile, float* panels, int32_t* sets,
                                PanelMemory<Shape, precision>& memory) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < tile.rows) sets[thread] = static_cast<int32_t>(row_at(f.offsets, f.sets, tile.begin + thread));
  const int inputs = f.layer[0].inputs, x_stride = stride_of_width<precision>(inputs);
  for (int i = thread; i < Shape::rows * x_stride; i += Shape::threads) {
    const int row = i / x_stride, c = i % x_stride;
    panels[f.panel[0] + i] = row < tile.rows && c < inputs ? f.x[(tile.begin + row) * inputs + c] : 0.0f;
  }
  for (int l = 0; l < f.layers; ++l) {
    const Operand weight[1] = {f.layer[l].weight};
    const float* const bias = f.layer[l].bias;
    const int outputs = f.layer[l].outputs, stride = stride_of_width<precision>(outputs);
    const int32_t activation = f.layer[l].activation;
    float *const values = panels + f.panel[l + 1], *const sums = panels + f.sums[l + 1];
    multiply_panel<Shape, precision>(panels + f.panel[l], stride_of_width<precision>(f.layer[l].inputs), weight,
                                     f.layer[l].inputs, memory, [&](int row, int64_t column, float sum) {
                                       if (column >= stride) return;
                                       const bool inside = row < tile.rows && column < outputs;
                                       const float z = inside && bias ? sum + bias[column] : sum;
                                       if (sums != values) sums[row * stride + column] = inside ? z : 0.0f;
                                       values[row * stride + column] = inside ? activate_value(z, activation) : 0.0f;
                                     });
  }
}

template <class Shape, int precision, class Pool>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
pool_tiles(const int32_t* fault, Tiles f, SegmentPieces<Pool> groups, Results<Pool> results) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED(int32_t, sets, [Shape::rows]);
  UPS_SHARED_DYN(float, panels);
  const TileRows tile = rows_of_tile<Shape>(f, blockIdx.x);
  if (tile.rows == 0) return;  // the same for the whole block
  apply_layers<Shape, precision>(f, tile, panels, sets, memory[0]);
  __syncthreads();
  const int width = static_cast<int>(f.last_width()), stride = stride_of_width<precision>(width);
  const float* const h = panels + f.panel[f.layers];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (int row = warp; row < tile.rows; row += Shape::threads / 32) {
    const int64_t set = sets[row], first = f.offsets[set], end = f.offsets[set + 1], particle = tile.begin + row;
    const bool cut = is_cut<Shape>(first, end);
    if (cut ? (particle - first) % group != 0 : particle != first) continue;
    const int end_row = static_cast<int>((cut ? ups::min<int64_t>(end, particle + group) : end) - tile.begin);
    for (int c = lane; c < width; c += 32) {
      Pool pool = Pool::empty();
      for (int begin = row; begin < end_row; begin += group) {
        Pool of_group = Pool::empty();
        for (int r = begin; r < end_row && r < begin + group; ++r) {
          const float value = h[r * stride + c];
          of_group.add(f.particle_weights ? f.particle_weights[tile.begin + r] * value : value,
                       static_cast<int32_t>(tile.begin + r));
        }
        pool.join(of_group);
      }
      const int64_t slot = particle == first ? set : f.sets + particle / group;
      if (cut) groups.put(slot * width + c, pool);
      else results.put(set, c, pool, end - first);
    }
  }
}

// Joins the groups of the sets that are cut: those of first and later pieces (common/row_pieces.cuh). Empty sets have no
// tile, and end here.
template <class Shape, class Pool>
UPS_KERNEL_LB(block_threads)
join_groups(const int32_t* fault, const int32_t* offsets, int64_t sets, int64_t items, int64_t columns,
            SegmentPieces<Pool> groups, SegmentPieces<Pool> pieces, Results<Pool> results) {
  if (*fault != 0) return;
  for (int64_t at = global_thread(); at < items * columns; at += global_threads()) {
    const int64_t column = at % columns;
    const RowPiece piece = piece_of_item<segment_piece>(offsets, sets, at / columns);
    if (piece.row < 0) continue;
    const int64_t first = offsets[piece.row], end = offsets[piece.row + 1];
    if (first != end && !is_cut<Shape>(first, end)) continue;
    Pool pool = Pool::empty();
    for (int64_t begin = piece.begin; begin < piece.end; begin += group)
      pool.join(groups.get((begin == first ? piece.row : sets + begin / group) * columns + column));
    if (end - first <= segment_piece) results.put(piece.row, column, pool, end - first);
    else pieces.put(at, pool);
  }
}

struct TileDescent {
  PooledGradients from;
  float* dx;  // or null
  float* parts;  // of the parameters: a row for each chunk of tiles
  int64_t parameters, tiles, tiles_per_chunk;
  int32_t lowest;  // the layer where the way down ends
  int32_t weights_at[UPS_MLP_MAX_LAYERS], biases_at[UPS_MLP_MAX_LAYERS];  // in a row of parts; -1: not wanted
};

// What rows outside every set get: 0, by the tile of their window.
template <class Shape>
UPS_ON_DEVICE void clear_outside(const Tiles& f, int64_t tile, float* rows, int64_t columns) {
  if (!rows) return;
  const int64_t begin = tile * tile_window<Shape>, end = ups::min(f.particles, begin + tile_window<Shape>);
  const int64_t first = f.sets > 0 ? f.offsets[0] : f.particles, last = f.sets > 0 ? f.offsets[f.sets] : f.particles;
  if (begin >= first && end <= last) return;
  for (int64_t i = begin * columns + threadIdx.x; i < end * columns; i += Shape::threads)
    if (i / columns < first || i / columns >= last) rows[i] = 0.0f;
}

// dz of the last layer in the place of its values, and the products.
template <class Shape, int precision>
UPS_ON_DEVICE void spread_tile(const Tiles& f, const PooledGradients& from, const TileRows& tile, float* panels,
                               const int32_t* sets) {
  const int width = static_cast<int>(f.last_width()), stride = stride_of_width<precision>(width);
  const int32_t activation = f.layer[f.layers - 1].activation;
  float* const values = panels + f.panel[f.layers];
  const float* const slopes = panels + f.sums[f.layers];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (int row = warp; row < tile.rows; row += Shape::threads / 32) {
    const int64_t set = sets[row], particle = tile.begin + row;
    const float* const dy = from.dy + set * from.stride;
    const float scale = from.scales ? from.scales[set] : 1.0f;
    const float factor = f.particle_weights ? scale * f.particle_weights[particle] : scale;
    float product = 0.0f;
    for (int c = lane; c < width; c += 32) {
      float& value = values[row * stride + c];
      const float slope = activation_slope_at(slopes[row * stride + c], activation);
      product += dy[c] * value;
      const bool extreme = from.where && from.where[set * width + c] == particle;
      value = slope * (from.where ? extreme ? dy[c] : 0.0f : dy[c] * factor);
    }
    if (!from.products) continue;  // the same for the whole warp
    product = ups::warp_sum(product);
    if (lane == 0) from.products[particle] = scale * product;
  }
}

// store(out, in, the sum over the rows of dz[row, out] h[row, in]), for whole tiles.
template <class Shape, int precision, class Store>
UPS_ON_DEVICE void multiply_transposed(const float* dz, int dz_stride, int outputs, const float* h, int h_stride,
                                       int inputs, PanelMemory<Shape, precision>& memory, Store store) {
  for (int out = 0; out < outputs; out += Shape::rows)
    for (int in = 0; in < inputs; in += Shape::columns) {
      Sums<Shape, precision, Layout::across, Layout::across> sums;
      sums.clear();
      UPS_NO_UNROLL
      for (int row = 0; row < Shape::rows; row += Shape::depth)
        sums.add(dz + row * dz_stride + out, dz_stride, h + row * h_stride + in, h_stride);
      store_tile<Shape>(sums, reinterpret_cast<float*>(memory.staging),
                        [&](int row, int column, float sum) { store(out + row, in + column, sum); });
    }
}

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
descend_tiles(const int32_t* fault, Tiles f, TileDescent d) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED(int32_t, sets, [Shape::rows]);
  UPS_SHARED_DYN(float, panels);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < Shape::columns) panels[f.floats - Shape::columns + thread] = 0.0f;
  float* const parts = d.parts + static_cast<int64_t>(blockIdx.x) * d.parameters;
  const int64_t first_tile = static_cast<int64_t>(blockIdx.x) * d.tiles_per_chunk;
  const int64_t end_tile = ups::min(d.tiles, first_tile + d.tiles_per_chunk);
  for (int64_t t = first_tile; t < end_tile; ++t) {
    const TileRows tile = rows_of_tile<Shape>(f, t);
    const auto add = [&](int64_t at, float sum) { parts[at] = t == first_tile ? sum : parts[at] + sum; };
    clear_outside<Shape>(f, t, d.dx, f.layer[0].inputs);
    clear_outside<Shape>(f, t, d.from.products, 1);
    apply_layers<Shape, precision>(f, tile, panels, sets, memory[0]);
    __syncthreads();
    spread_tile<Shape, precision>(f, d.from, tile, panels, sets);
    __syncthreads();
    for (int l = f.layers - 1; l >= d.lowest; --l) {
      const int inputs = f.layer[l].inputs, outputs = f.layer[l].outputs;
      const int stride = stride_of_width<precision>(inputs), dz_stride = stride_of_width<precision>(outputs);
      const float* const dz = panels + f.panel[l + 1];
      float* const below = panels + f.panel[l];
      if (d.weights_at[l] >= 0)
        multiply_transposed<Shape, precision>(dz, dz_stride, outputs, below, stride, inputs, memory[0],
                                              [&](int out, int in, float sum) {
                                                if (out < outputs && in < inputs)
                                                  add(d.weights_at[l] + int64_t{out} * inputs + in, sum);
                                              });
      if (d.biases_at[l] >= 0)
        for (int c = thread; c < outputs; c += Shape::threads) {
          float sum = 0.0f;
          for (int row = 0; row < tile.rows; ++row) sum += dz[row * dz_stride + c];
          add(d.biases_at[l] + c, sum);
        }
      if (l == d.lowest && (l > 0 || !d.dx)) break;
      const Operand weight[1] = {f.layer[l].transposed};
      const float* const slopes = panels + f.sums[l];
      const int32_t activation = l > 0 ? f.layer[l - 1].activation : UPS_ACTIVATION_NONE;
      multiply_panel<Shape, precision, Layout::across>(
          dz, dz_stride, weight, outputs, memory[0], [&](int row, int64_t column, float sum) {
            if (row >= tile.rows || column >= inputs) return;
            if (l == 0) d.dx[(tile.begin + row) * inputs + column] = sum;
            else below[row * stride + column] = sum * activation_slope_at(slopes[row * stride + column], activation);
          });
      __syncthreads();
    }
  }
}

// The gradients of the parameters from their parts: threads share the chunks, and their sums are added up in order.
struct Target {
  float* to;
  int64_t first, count;
};
struct Targets {
  Target target[2 * UPS_MLP_MAX_LAYERS];
  int32_t count;
};

constexpr int chunk_slots = 8;
template <int slots>
UPS_KERNEL_LB(32 * slots)
add_chunks(const int32_t* fault, const float* parts, int64_t chunks, int64_t parameters, Targets targets) {
  if (*fault != 0) return;
  UPS_SHARED(float, sums, [slots][32]);
  const int lane = static_cast<int>(threadIdx.x) % 32, slot = static_cast<int>(threadIdx.x) / 32;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * 32 + lane;
  float sum = 0.0f;
  for (int64_t chunk = slot; i < parameters && chunk < chunks; chunk += slots) sum += parts[chunk * parameters + i];
  sums[slot][lane] = sum;
  __syncthreads();
  if (slot != 0) return;
  for (int other = 1; other < slots; ++other) sum += sums[other][lane];
  for (int32_t t = 0; t < targets.count; ++t) {
    const Target& target = targets.target[t];
    if (i >= target.first && i < target.first + target.count) target.to[i - target.first] = sum;
  }
}

// Chunks: enough to fill a device, at most 32 MiB of parts, and no part for a single tile.
struct Chunks {
  int64_t parameters = 0, tiles, tiles_per_chunk, count;

  explicit Chunks(const PooledLayers<float>& f) : tiles(tile_count(f)) {
    constexpr int64_t most = 256, most_floats = int64_t{8} << 20, fewest_tiles = 2;
    for (int32_t l = 0; l < f.layers; ++l) parameters += f.outputs(l) * (f.inputs(l) + 1);
    const int64_t chunks = std::clamp<int64_t>(most_floats / std::max<int64_t>(parameters, 1), 1, most);
    tiles_per_chunk = std::max(fewest_tiles, ceil_div(tiles, chunks));
    count = ceil_div(tiles, tiles_per_chunk);
  }
};

size_t bytes_of(const Tiles& tiles) { return static_cast<size_t>(tiles.floats) * sizeof(float); }

}  // namespace

bool tiles_hold(const PooledLayers<float>& f) {
  return forward_floats(f) * static_cast<int64_t>(sizeof(float)) <= most_forward_bytes;
}
bool tiles_hold_backward(const PooledLayers<float>& f) {
  return backward_floats(f) * static_cast<int64_t>(sizeof(float)) <= most_backward_bytes;
}

TilePooling::TilePooling(const PooledLayers<float>& f, Pieces& pieces) {
  const int64_t groups = (f.sets + later_windows<group>(f.particles)) * f.last_width();
  const int64_t later = later_windows<segment_piece>(f.particles);
  const int64_t of_pieces = later > 0 ? (f.sets + later) * f.last_width() : 0;
  group_value = pieces.take<float>(groups);
  piece_value = pieces.take<float>(of_pieces);
  group_where = pieces.take<int32_t>(is_extreme(f.pool) ? groups : 0);
  piece_where = pieces.take<int32_t>(is_extreme(f.pool) ? of_pieces : 0);
}

void TilePooling::pool(Launcher& launch, int32_t precision, const PooledLayers<float>& f, const PooledRows& to) const {
  const Tiles tiles = tiles_of(f, false);
  const int64_t width = f.last_width(), later = later_windows<segment_piece>(f.particles);
  if (width == 0) return;
  const auto with = [&]<class Pool>(Pool) {
    const SegmentPieces<Pool> groups{group_value, group_where}, pieces{piece_value, piece_where};
    const Results<Pool> results{to.y, to.stride, to.where, width, f.pool == UPS_POOL_MEAN && !to.scales, to.scales};
    const auto kernel = precision == UPS_BF16   ? pool_tiles<PanelTile, UPS_BF16, Pool>
                        : precision == UPS_TF32 ? pool_tiles<PanelTile, UPS_TF32, Pool>
                                                : pool_tiles<PanelTile, UPS_FP32, Pool>;
    launch.grid(kernel, tile_count(f), 1, PanelTile::threads, bytes_of(tiles), tiles, groups, results);
    launch.elements(join_groups<PanelTile, Pool>, (f.sets + later) * width, f.offsets, f.sets, f.sets + later, width,
                    groups, pieces, results);
    if (later > 0) launch.elements(join_pieces<Pool>, f.sets * width, f.offsets, f.sets, width, pieces, results);
  };
  if (f.pool == UPS_POOL_MAX) with(Extreme<false>{});
  else if (f.pool == UPS_POOL_MIN) with(Extreme<true>{});
  else with(Sum{});
}

TileGradients::TileGradients(const PooledLayers<float>& f, Pieces& pieces) {
  const Chunks chunks(f);
  parts = pieces.take<float>(chunks.count * chunks.parameters);
}

void TileGradients::backward(Launcher& launch, int32_t precision, const PooledLayers<float>& f,
                             const PooledLayersGradients<float>& to, const PooledGradients& from) const {
  const Tiles tiles = tiles_of(f, true);
  const Chunks chunks(f);
  TileDescent descent{from, to.dx, parts, 0, chunks.tiles, chunks.tiles_per_chunk, f.layers, {}, {}};
  Targets targets{};
  const auto take = [&](float* gradient, int64_t count) {
    if (!gradient) return int32_t{-1};
    const int64_t first = descent.parameters;
    targets.target[targets.count++] = {gradient, first, count};
    descent.parameters += count;
    return static_cast<int32_t>(first);
  };
  for (int32_t l = f.layers - 1; l >= 0; --l) {
    descent.weights_at[l] = take(to.dweight[l], f.outputs(l) * f.inputs(l));
    descent.biases_at[l] = take(to.dbias[l], f.outputs(l));
    if (to.dweight[l] || to.dbias[l] || (l == 0 && to.dx)) descent.lowest = l;
  }
  const auto kernel = precision == UPS_BF16   ? descend_tiles<PanelTile, UPS_BF16>
                      : precision == UPS_TF32 ? descend_tiles<PanelTile, UPS_TF32>
                                              : descend_tiles<PanelTile, UPS_FP32>;
  launch.grid(kernel, chunks.count, 1, PanelTile::threads, bytes_of(tiles), tiles, descent);
  launch.grid(add_chunks<chunk_slots>, ceil_div(descent.parameters, 32), 1, 32 * chunk_slots, 0, parts, chunks.count,
              descent.parameters, targets);
}

}  // namespace upsilon
