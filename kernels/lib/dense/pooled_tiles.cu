// Floor: 2 N (sum of M_l M_(l-1)) FLOP forward and three times that backward, or x once through
// memory. The gradients of the parameters go through the cache once a tile: 8 bytes for 384 FLOP.
#include "lib/dense/pooled_tiles.h"

#include "lib/dense/layer_panels.cuh"
#include "lib/segments/segment_pools.cuh"

namespace upsilon {
namespace {

constexpr int group = 8;
template <class Shape>
constexpr int tile_window = Shape::rows - group + 1;

struct Tiles : PanelLayers {
  const int32_t* offsets;
  const float *x, *particle_weights;
  int64_t particles, sets;

  Tiles(const PooledLayers<float>& f, bool backward)
      : PanelLayers(f, backward), offsets(f.offsets), x(f.x), particle_weights(f.particle_weights),
        particles(f.particles), sets(f.sets) {}
};

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

// Takes a tile through all layers. Ends without a barrier behind what writes `sets` and the last
// panel.
template <class Shape, int precision>
UPS_ON_DEVICE void apply_to_tile(const Tiles& f, const TileRows& tile, float* panels, int32_t* sets,
                                 PanelMemory<Shape, precision>& memory) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < tile.rows) sets[thread] = static_cast<int32_t>(row_at(f.offsets, f.sets, tile.begin + thread));
  const int inputs = f.layer[0].inputs, x_stride = stride_of_width<precision>(inputs);
  for (int i = thread; i < Shape::rows * x_stride; i += Shape::threads) {
    const int row = i / x_stride, c = i % x_stride;
    panels[f.panel[0] + i] = row < tile.rows && c < inputs ? f.x[(tile.begin + row) * inputs + c] : 0.0f;
  }
  apply_layers<Shape, precision>(f, tile.rows, panels, memory);
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
  apply_to_tile<Shape, precision>(f, tile, panels, sets, memory[0]);
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

// Joins the groups of the sets that are cut: those of first and later pieces
// (lib/segments/row_pieces.cuh). Empty sets have no tile, and end here.
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

struct TileDescent : Descent {
  PooledGradients from;
  float* dx;  // or null
  float* parts;  // of the parameters: a row for each chunk of tiles
  int64_t tiles, tiles_per_chunk;
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

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
descend_tiles(const int32_t* fault, Tiles f, TileDescent d) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED(int32_t, sets, [Shape::rows]);
  UPS_SHARED_DYN(float, panels);
  clear_behind_panels<Shape>(f, panels);
  float* const parts = d.parts + static_cast<int64_t>(blockIdx.x) * d.parameters;
  const int64_t first_tile = static_cast<int64_t>(blockIdx.x) * d.tiles_per_chunk;
  const int64_t end_tile = ups::min(d.tiles, first_tile + d.tiles_per_chunk);
  for (int64_t t = first_tile; t < end_tile; ++t) {
    const TileRows tile = rows_of_tile<Shape>(f, t);
    const auto add = [&](int64_t at, float sum) { parts[at] = t == first_tile ? sum : parts[at] + sum; };
    clear_outside<Shape>(f, t, d.dx, f.layer[0].inputs);
    clear_outside<Shape>(f, t, d.from.products, 1);
    apply_to_tile<Shape, precision>(f, tile, panels, sets, memory[0]);
    __syncthreads();
    spread_tile<Shape, precision>(f, d.from, tile, panels, sets);
    __syncthreads();
    descend<Shape, precision>(f, d, tile.rows, panels, memory[0], add, [&](int row, int64_t column, float sum) {
      d.dx[(tile.begin + row) * f.layer[0].inputs + column] = sum;
    });
  }
}

Chunks chunks_of(const PooledLayers<float>& f) { return {f, tile_count(f)}; }

size_t bytes_of(const Tiles& tiles) { return static_cast<size_t>(tiles.floats) * sizeof(float); }

}  // namespace

bool tiles_hold(const PooledLayers<float>& f) {
  return panel_floats_forward(f) * static_cast<int64_t>(sizeof(float)) <= max_forward_panel_bytes;
}
bool tiles_hold_backward(const PooledLayers<float>& f) {
  return panel_floats_backward(f) * static_cast<int64_t>(sizeof(float)) <= max_backward_panel_bytes;
}

TilePooling::TilePooling(const PooledLayers<float>& f, WorkspaceLayout& workspace) {
  const int64_t groups = (f.sets + later_windows<group>(f.particles)) * f.last_width();
  const int64_t later = later_windows<segment_piece>(f.particles);
  const int64_t of_pieces = later > 0 ? (f.sets + later) * f.last_width() : 0;
  group_value = workspace.reserve<float>(groups);
  piece_value = workspace.reserve<float>(of_pieces);
  group_where = workspace.reserve<int32_t>(is_extreme(f.pool) ? groups : 0);
  piece_where = workspace.reserve<int32_t>(is_extreme(f.pool) ? of_pieces : 0);
}

void TilePooling::pool(Launcher& launch, int32_t precision, const PooledLayers<float>& f, const PooledRows& to) const {
  const Tiles tiles(f, false);
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

TileGradients::TileGradients(const PooledLayers<float>& f, WorkspaceLayout& workspace) {
  const Chunks chunks = chunks_of(f);
  parts = workspace.reserve<float>(chunks.count * chunks.parameters);
}

void TileGradients::backward(Launcher& launch, int32_t precision, const PooledLayers<float>& f,
                             const PooledLayersGradients<float>& to, const PooledGradients& from) const {
  const Tiles tiles(f, true);
  const Chunks chunks = chunks_of(f);
  Targets targets{};
  const TileDescent descent{
      {f, to, to.dx != nullptr, targets}, from, to.dx, parts, chunks.tiles, chunks.tiles_per_chunk};
  const auto kernel = precision == UPS_BF16   ? descend_tiles<PanelTile, UPS_BF16>
                      : precision == UPS_TF32 ? descend_tiles<PanelTile, UPS_TF32>
                                              : descend_tiles<PanelTile, UPS_FP32>;
  launch.grid(kernel, chunks.count, 1, PanelTile::threads, bytes_of(tiles), tiles, descent);
  add_parts(launch, parts, chunks.count, descent.parameters, targets);
}

}  // namespace upsilon
