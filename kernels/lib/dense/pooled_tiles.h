// Layers over particles and the pooling of their results on the device, in tiles: a block takes up
// to 64 particles through all layers in shared memory (lib/dense/panel.cuh), and only pooled rows
// leave it. Backward does so once more and takes the gradients down through the same panels.
// Compiled in pooled_tiles.cu.
//
// Sums. A set is cut into groups of 8 particles, counted from its first; a tile has the groups that
// begin in a window of 57 positions. A group is added up in order, so are the groups of a piece of
// 1,024 particles, and the pieces: a set's bits depend on the set alone. A set in one tile is
// finished there; the groups of a set that is cut by tiles go through global memory, an eighth of
// its rows at most. Gradients of parameters are added up tile by tile over chunks of tiles, and the
// chunks in an order that depends on the shapes alone.
#pragma once
#include "lib/cuda/cuda.h"
#include "lib/dense/pooled_layers.h"

namespace upsilon {

// Whether the panels of a network fit: widths up to 256; backward, which keeps the values behind
// all layers, where the widths (of gelu layers twice) are not more than about 500 together.
bool tiles_hold(const PooledLayers<float>& f);
bool tiles_hold_backward(const PooledLayers<float>& f);

// Where pooled rows go, `stride` apart. `scales`: what sums are multiplied with, or null; a mean
// without them is that of the number of particles. `where`: the extreme particles, rows of the
// layers' last width, or null; so may `y` be.
struct PooledRows {
  float* y;
  int64_t stride;
  const float* scales = nullptr;
  int32_t* where = nullptr;
};

struct TilePooling {
  float *group_value = nullptr, *piece_value = nullptr;
  int32_t *group_where = nullptr, *piece_where = nullptr;

  TilePooling() = default;
  TilePooling(const PooledLayers<float>& f, WorkspaceLayout& workspace);
  void pool(Launcher& launch, int32_t precision, const PooledLayers<float>& f, const PooledRows& to) const;
};

// What the gradients come from: rows of dy `stride` apart; the scales of sums, or null; the extreme
// particles, or null. `products`: where scale dy . h of each particle is wanted, or null.
struct PooledGradients {
  const float* dy;
  int64_t stride;
  const float* scales;
  const int32_t* where;
  float* products;
};

struct TileGradients {
  float* parts = nullptr;  // of the parameters, a row for each chunk

  TileGradients() = default;
  TileGradients(const PooledLayers<float>& f, WorkspaceLayout& workspace);
  void backward(Launcher& launch, int32_t precision, const PooledLayers<float>& f,
                const PooledLayersGradients<float>& to, const PooledGradients& from) const;
};

}  // namespace upsilon
