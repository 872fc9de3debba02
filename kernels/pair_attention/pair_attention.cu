// CUDA. A block owns a few particles of an event, and goes through the event in tiles of up to 32
// others: 64 pairs at a time go through the layers in shared memory (lib/dense/layer_panels.cuh)
// and leave their bias there, a row for each pair. Then a warp takes an own particle and a head at
// a time, its lanes first being the other particles, whose scores it shuffles into largest and sum,
// then columns of y; sums over tiles are carried along as in attention.cu, y itself holding them.
//
// Backward, the own particles are queries and keys at once, as a pair and its mirror image have the
// same bias: from both scores come dq, dk, dv and half of what arrives at the bias, which goes down
// through the panels; every pair is visited twice. So each gradient of a particle has one owner,
// who adds up in a fixed order. A block goes through a chunk of such pieces, whose gradients of the
// parameters it adds up; the chunks are added up in order.
//
// Floor: arithmetic, for each pair and for its mirror image 2 (sum of M_l M_(l-1)) FLOP forward and
// three times that backward. Nothing of the size of pairs is in global memory.
#include "pair_attention/pair_attention.h"

#include <limits>

#include "lib/segments/event_pairs.cuh"
#include "lib/dense/layer_panels.cuh"
#include "lib/attention/means.cuh"

#include "pair_attention/pair_attention_call.h"

namespace upsilon {
namespace {

constexpr int tile_others = 32;  // a lane each
constexpr int max_own = 8;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
static_assert(PanelTile::rows == 2 * tile_others);

// The particles that a block owns, `count` from `begin` on, and those of their event.
struct Piece {
  int64_t first, size, begin;
  int count;
};
// Two, or as many as make up 64 pairs with all of a smaller event.
UPS_ON_DEVICE int own_particles(int64_t size) {
  const int64_t others = ups::min<int64_t>(size, tile_others);
  return static_cast<int>(ups::min<int64_t>(size, PanelTile::rows / ups::max<int64_t>(others, 1)));
}
// Piece i of event b has the place offsets[b] / 2 + b + i: no two have the same, and they are at
// most N / 2 + B.
inline int64_t places(const PairAttention<float>& f) { return f.events == 0 ? 0 : f.particles / 2 + f.events; }
UPS_ON_DEVICE Piece piece_at(const PairAttention<float>& f, int64_t place) {
  int64_t low = 0, high = f.events;  // the last event whose first place is not beyond
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (f.offsets[middle] / 2 + middle <= place) low = middle;
    else high = middle;
  }
  const int64_t first = f.offsets[low], size = f.size(low), own = own_particles(size);
  const int64_t before = (place - first / 2 - low) * own;
  if (before < 0 || before >= size) return {first, size, first, 0};
  return {first, size, first + before, static_cast<int>(ups::min(own, size - before))};
}

// A tile: the own particles, each with `others` of the event from `first_other` on, row by row.
struct PairTile {
  Piece own;
  int64_t first_other;
  int others;
  UPS_ON_DEVICE PairTile(const Piece& piece, int64_t before)
      : own(piece), first_other(piece.first + before),
        others(static_cast<int>(ups::min<int64_t>(tile_others, piece.size - before))) {}
  UPS_ON_DEVICE int rows() const { return own.count * others; }
  UPS_ON_DEVICE int row(int who, int lane) const { return who * others + lane; }
};

// The features of a tile's pairs, in the first panel. Comes after a barrier behind what read it
// last.
template <class Shape, int precision>
UPS_ON_DEVICE void fill_pairs(const PairTile& tile, const Kinematics* kinematics, double eps, float* panel) {
  const int thread = static_cast<int>(threadIdx.x), stride = stride_of_width<precision>(pair_feature_count);
  for (int i = thread; i < Shape::rows * stride; i += Shape::threads)
    if (i / stride >= tile.rows() || i % stride >= pair_feature_count) panel[i] = 0.0f;
  if (thread < tile.rows())
    pair_features(kinematics[tile.own.begin + thread / tile.others],
                  kinematics[tile.first_other + thread % tile.others], eps, panel + thread * stride);
}

UPS_ON_DEVICE float product_of(const float* a, const float* b, int64_t width) {
  float sum = 0.0f;
  for (int64_t c = 0; c < width; ++c) sum = fmaf(a[c], b[c], sum);
  return sum;
}

// to[c] = before to[c] + the sum over the lanes of weight row[c], where lane l's row lies l steps
// behind the first. The rows of lanes without a weight are not looked at. `fresh`: there is nothing
// in `to` yet.
UPS_ON_DEVICE void add_weighted(const ups::Tile<32>& lanes, float weight, const float* rows, int64_t step, int others,
                                int64_t columns, bool fresh, float before, float* to) {
  for (int64_t first = 0; first < columns; first += 32) {
    const int64_t c = first + lanes.rank;
    float sum = c < columns && !fresh ? before * to[c] : 0.0f;
    for (int other = 0; other < others; ++other) {
      const float of_other = lanes.shfl(weight, other);
      if (c < columns && of_other != 0.0f) sum = fmaf(of_other, rows[other * step + c], sum);
    }
    if (c < columns) to[c] = sum;
  }
}

// exp(score - largest), 0 where there is no pair.
UPS_ON_DEVICE float weight_of(float score, float largest) {
  return score == minus_infinity ? 0.0f : expf(score - (largest == minus_infinity ? 0.0f : largest));
}

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
attend_pairs(const int32_t* fault, PairAttentionForward<float> f, PanelLayers layers, const Kinematics* kinematics) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED_DYN(float, panels);
  const Piece own = piece_at(f, blockIdx.x);
  if (own.count == 0) return;
  constexpr int warps = Shape::threads / 32;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const auto lanes = ups::Tile<32>::here();
  const int heads = static_cast<int>(f.heads), tasks = own.count * heads;
  const int stride = stride_of_width<precision>(heads);
  const float* const bias = panels + layers.panel[layers.layers];
  float *const largest = panels + layers.floats, *const total = largest + max_own * heads;
  for (int i = thread; i < tasks; i += Shape::threads) largest[i] = minus_infinity, total[i] = 0.0f;

  for (int64_t before = 0; before < own.size; before += tile_others) {
    const PairTile tile(own, before);
    __syncthreads();
    fill_pairs<Shape, precision>(tile, kinematics, f.eps, panels + layers.panel[0]);
    apply_layers<Shape, precision>(layers, tile.rows(), panels, memory[0]);
    __syncthreads();
    for (int task = warp; task < tasks; task += warps) {
      const int who = task / heads, head = task % heads;
      const int64_t query = (own.begin + who) * heads + head, key = (tile.first_other + lane) * heads + head;
      float score = minus_infinity;
      if (lane < tile.others)
        score = product_of(f.q + query * f.width, f.k + key * f.width, f.width) * f.scale +
                bias[tile.row(who, lane) * stride + head];
      // Lane 0 alone looks at what it writes below.
      const float so_far = lanes.shfl(lane == 0 ? largest[task] : 0.0f, 0);
      const float now = ups::max(so_far, lanes.max(score == score ? score : minus_infinity));
      const float rescale = so_far == minus_infinity ? 1.0f : expf(so_far - now);
      const float weight = weight_of(score, now), sum = lanes.sum(weight);
      add_weighted(lanes, weight, f.v + (tile.first_other * heads + head) * f.value_width, heads * f.value_width,
                   tile.others, f.value_width, before == 0, rescale, f.y + query * f.value_width);
      if (lane == 0) largest[task] = now, total[task] = total[task] * rescale + sum;
    }
  }

  __syncthreads();
  for (int task = warp; task < tasks; task += warps) {
    const int64_t query = (own.begin + task / heads) * heads + task % heads;
    for (int64_t c = lane; c < f.value_width; c += 32) {
      float& y = f.y[query * f.value_width + c];
      y = total[task] == 0.0f ? 0.0f : y / total[task];
    }
    if (!f.softmax || lane != 0) continue;
    f.softmax[2 * query] = largest[task];
    f.softmax[2 * query + 1] = total[task];
  }
}

// p and dscore of a pair, from the row of its query and head.
struct Slope {
  float p = 0.0f, dscore = 0.0f;
  UPS_ON_DEVICE Slope() {}
  UPS_ON_DEVICE Slope(const PairAttentionBackward<float>& f, const float* means, int64_t query, float score,
                      float dproduct) {
    const float sum = f.softmax[2 * query + 1];
    if (score == minus_infinity || sum == 0.0f) return;
    p = expf(score - f.softmax[2 * query]) / sum;
    dscore = p == 0.0f ? 0.0f : p * (dproduct - means[query]);
  }
};

struct PairDescent : Descent {
  float* parts;  // of the parameters: a row for each chunk of pieces
  int64_t places, places_per_chunk;
  bool wanted;  // anything at all
};

// What an own particle and a head get from a tile. The bias of the pairs becomes dz of the last
// layer.
template <int precision>
UPS_ON_DEVICE void differentiate_head(const PairAttentionBackward<float>& f, const PanelLayers& layers,
                                      const PairTile& tile, const float* means, int who, int head, bool fresh,
                                      float* panels) {
  const auto lanes = ups::Tile<32>::here();
  const int lane = lanes.rank, heads = static_cast<int>(f.heads);
  const int64_t own = (tile.own.begin + who) * heads + head, first = tile.first_other * heads + head;
  const int64_t other = first + static_cast<int64_t>(lane) * heads;
  Slope as_query, as_key;  // of the own particle
  if (lane < tile.others) {
    const int at = tile.row(who, lane) * stride_of_width<precision>(heads) + head;
    float& bias = panels[layers.panel[layers.layers] + at];
    const auto score = [&](int64_t query, int64_t key) {
      return product_of(f.q + query * f.width, f.k + key * f.width, f.width) * f.scale + bias;
    };
    const auto dproduct = [&](int64_t query, int64_t key) {
      return product_of(f.dy + query * f.value_width, f.v + key * f.value_width, f.value_width);
    };
    as_query = Slope(f, means, own, score(own, other), dproduct(own, other));
    as_key = Slope(f, means, other, score(other, own), dproduct(other, own));
    bias = 0.5f * (as_query.dscore + as_key.dscore) *
           activation_slope_at(panels[layers.sums[layers.layers] + at], layers.layer[layers.layers - 1].activation);
  }
  const int64_t step = heads * f.width, value_step = heads * f.value_width;
  if (f.dq)
    add_weighted(lanes, f.scale * as_query.dscore, f.k + first * f.width, step, tile.others, f.width, fresh, 1.0f,
                 f.dq + own * f.width);
  if (f.dk)
    add_weighted(lanes, f.scale * as_key.dscore, f.q + first * f.width, step, tile.others, f.width, fresh, 1.0f,
                 f.dk + own * f.width);
  if (f.dv)
    add_weighted(lanes, as_key.p, f.dy + first * f.value_width, value_step, tile.others, f.value_width, fresh, 1.0f,
                 f.dv + own * f.value_width);
}

// The gradient by an own particle's kinematics of the features of its pairs, in both places; the
// same in every lane.
UPS_ON_DEVICE Kinematics kinematics_gradient(const PairTile& tile, const Kinematics* kinematics, double eps,
                                             const float (*dfeatures)[pair_feature_count], int who) {
  const auto lanes = ups::Tile<32>::here();
  Kinematics sum{};
  if (lanes.rank < tile.others) {
    double g[pair_feature_count];
    for (int c = 0; c < pair_feature_count; ++c)
      g[c] = 2.0 * static_cast<double>(dfeatures[tile.row(who, lanes.rank)][c]);
    add_pair_gradient(kinematics[tile.own.begin + who], kinematics[tile.first_other + lanes.rank], eps, g, sum);
  }
  return {lanes.sum(sum.pt), lanes.sum(sum.rapidity), lanes.sum(sum.azimuth), lanes.sum(sum.px),
          lanes.sum(sum.py), lanes.sum(sum.pz),       lanes.sum(sum.energy)};
}

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
differentiate_pairs(const int32_t* fault, PairAttentionBackward<float> f, PanelLayers layers, PairDescent d,
                    const Kinematics* kinematics, const float* means) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED(float, dfeatures, [Shape::rows][pair_feature_count]);
  UPS_SHARED(Kinematics, gradients, [max_own]);
  UPS_SHARED_DYN(float, panels);
  constexpr int warps = Shape::threads / 32;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int heads = static_cast<int>(f.heads);
  clear_behind_panels<Shape>(layers, panels);
  float* const parts = d.parts + static_cast<int64_t>(blockIdx.x) * d.parameters;
  for (int64_t i = thread; i < d.parameters; i += Shape::threads) parts[i] = 0.0f;
  const int64_t first_place = static_cast<int64_t>(blockIdx.x) * d.places_per_chunk;
  for (int64_t place = first_place; place < ups::min(d.places, first_place + d.places_per_chunk); ++place) {
    const Piece own = piece_at(f, place);
    for (int64_t before = 0; own.count > 0 && before < own.size; before += tile_others) {
      const PairTile tile(own, before);
      // No barrier: all have one behind them since they looked at the first panel.
      fill_pairs<Shape, precision>(tile, kinematics, f.eps, panels + layers.panel[0]);
      apply_layers<Shape, precision>(layers, tile.rows(), panels, memory[0]);
      __syncthreads();
      for (int task = warp; task < own.count * heads; task += warps)
        differentiate_head<precision>(f, layers, tile, means, task / heads, task % heads, before == 0, panels);
      if (!d.wanted) continue;
      __syncthreads();
      descend<Shape, precision>(
          layers, d, tile.rows(), panels, memory[0], [&](int64_t at, float sum) { parts[at] += sum; },
          [&](int row, int64_t column, float sum) { dfeatures[row][column] = sum; });
      for (int who = warp; f.dmomenta && who < own.count; who += warps) {
        const Kinematics of_tile = kinematics_gradient(tile, kinematics, f.eps, dfeatures, who);
        if (lane != 0) continue;
        gradients[who] = before == 0 ? of_tile : sum_of(gradients[who], of_tile);
        if (before + tile_others >= own.size)
          momentum_gradient(kinematics[own.begin + who], gradients[who],
                            f.dmomenta + (own.begin + who) * pair_columns_of_momenta);
      }
    }
  }
}

int64_t forward_bytes(const PairAttention<float>& f) {
  return (panel_floats_forward(f) + 2 * max_own * f.heads) * static_cast<int64_t>(sizeof(float));
}
int64_t backward_bytes(const PairAttention<float>& f) {
  return panel_floats_backward(f) * static_cast<int64_t>(sizeof(float));
}

bool forward_fits(const Call& call) {
  return forward_bytes(PairAttentionForward<float>(call)) <= max_forward_panel_bytes;
}
bool backward_fits(const Call& call) {
  return backward_bytes(PairAttentionBackward<float>(call)) <= max_backward_panel_bytes;
}

struct ForwardScratch {
  Kinematics* kinematics;
  ForwardScratch(const PairAttentionForward<float>& f, WorkspaceLayout& workspace)
      : kinematics(workspace.reserve<Kinematics>(f.particles)) {}
};

ups_status forward(const Call& call) {
  const PairAttentionForward<float> f(call);
  Kinematics* const kinematics = scratch_of<ForwardScratch>(call, f).kinematics;
  Launcher launch(call);
  launch.elements(find_kinematics<block_threads>, f.particles, f.momenta, f.particles, kinematics);
  clear_others(launch, f.y, f.particles, f.heads * f.value_width, f.offsets, f.events);
  clear_others(launch, f.softmax, f.particles, f.heads * 2, f.offsets, f.events, minus_infinity);
  const auto kernel = call.precision == UPS_BF16   ? attend_pairs<PanelTile, UPS_BF16>
                      : call.precision == UPS_TF32 ? attend_pairs<PanelTile, UPS_TF32>
                                                   : attend_pairs<PanelTile, UPS_FP32>;
  launch.grid(kernel, places(f), 1, PanelTile::threads, static_cast<size_t>(forward_bytes(f)), f, PanelLayers(f, false),
              kinematics);
  return launch.status();
}

struct BackwardScratch {
  Kinematics* kinematics;
  float *means, *parts;
  Chunks chunks;

  BackwardScratch(const PairAttentionBackward<float>& f, WorkspaceLayout& workspace)
      : kinematics(workspace.reserve<Kinematics>(f.particles)), means(workspace.reserve<float>(f.particles * f.heads)),
        chunks(f, places(f)) {
    parts = workspace.reserve<float>(chunks.count * chunks.parameters);
  }
};

ups_status backward(const Call& call) {
  const PairAttentionBackward<float> f(call);
  const auto s = scratch_of<BackwardScratch>(call, f);
  Launcher launch(call);
  launch.elements(find_kinematics<block_threads>, f.particles, f.momenta, f.particles, s.kinematics);
  launch_means(launch, f.dy, f.y, f.particles * f.heads, f.value_width, s.means);
  clear_others(launch, f.dmomenta, f.particles, pair_columns_of_momenta, f.offsets, f.events);
  clear_others(launch, f.dq, f.particles, f.heads * f.width, f.offsets, f.events);
  clear_others(launch, f.dk, f.particles, f.heads * f.width, f.offsets, f.events);
  clear_others(launch, f.dv, f.particles, f.heads * f.value_width, f.offsets, f.events);
  Targets targets{};
  const PairDescent descent{
      {f, f, f.dmomenta != nullptr, targets}, s.parts, places(f), s.chunks.tiles_per_chunk, f.wants_bias()};
  const auto kernel = call.precision == UPS_BF16   ? differentiate_pairs<PanelTile, UPS_BF16>
                      : call.precision == UPS_TF32 ? differentiate_pairs<PanelTile, UPS_TF32>
                                                   : differentiate_pairs<PanelTile, UPS_FP32>;
  launch.grid(kernel, s.chunks.count, 1, PanelTile::threads, static_cast<size_t>(backward_bytes(f)), f,
              PanelLayers(f, true), descent, s.kinematics, s.means);
  add_parts(launch, s.parts, s.chunks.count, descent.parameters, targets);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, PairAttentionForwardCall, forward, workspace_of<PairAttentionForward<float>, ForwardScratch>,
                 forward_fits)
UPS_CUDA_VARIANT(backward, PairAttentionBackwardCall, backward,
                 workspace_of<PairAttentionBackward<float>, BackwardScratch>, backward_fits)

}  // namespace
}  // namespace upsilon
