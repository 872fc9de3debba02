// CUDA: a block takes 32 queries of a head (the keys' gradients: 32 keys) and goes through the
// other side in tiles of 32, which it copies to shared memory. A warp owns eight of the block's
// rows. With a tile, its lanes first are the 32 elements of the other side: eight scores a lane,
// exp of them, the largest and the sum by shuffles; then they are columns: eight sums a lane, of
// weights that the warp left in shared memory. From tile to tile sums are carried along as on the
// CPU (attention.cpu.cc). Every row has one owner, and sums run in a fixed order: no atomics.
// Floor: arithmetic, 2 (D + V) FLOP for each pair and head forward, 8 D + 6 V backward, where both
// sides compute the scores. Shared memory is free of bank conflicts: rows are one float longer than
// the 16, 32, 64 or 128 columns that a kernel is made for.
#include "attention/attention.h"

#include <limits>

#include "lib/segments/event_pairs.cuh"

#include "attention/attention_call.h"
#include "lib/attention/means.cuh"

namespace upsilon {
namespace {

constexpr int tile = 32;  // rows of a block, and of the other side at a time: one for each lane
constexpr int warps = 4, warp_rows = tile / warps, attention_threads = 32 * warps;
constexpr int min_blocks = 2;  // of a multiprocessor: left alone, the compiler aims at more and spills
constexpr int max_columns = 128;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();  // the score of a masked pair

// The rows that a block owns: `count` from `first` on, of a set. None where there is no such piece.
struct Piece {
  int64_t set, begin, count;
};
// Piece i of set b has the place offsets[b] / tile + b + i: no two have the same, and they are at
// most N / tile + B.
inline int64_t places(int64_t elements, int64_t sets) { return sets == 0 ? 0 : elements / tile + sets; }
UPS_ON_DEVICE Piece piece_at(int64_t place, const int32_t* offsets, int64_t sets) {
  int64_t low = 0, high = sets;  // the last set whose first place is not beyond
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (offsets[middle] / tile + middle <= place) low = middle;
    else high = middle;
  }
  const int64_t begin = (place - offsets[low] / tile - low) * tile, size = offsets[low + 1] - offsets[low];
  if (begin < 0 || begin >= size) return {low, 0, 0};
  return {low, begin, ups::min<int64_t>(tile, size - begin)};
}

// What a block knows of its set and head.
struct Place {
  int64_t set, head, first_query, queries, first_key, keys;
  const float* bias;
  int64_t pairs_at;
  UPS_ON_DEVICE Place(const Attention<float>& f, const int64_t* pairs, int64_t set_, int64_t head_)
      : set(set_), head(head_), first_query(f.offsets[set_]), queries(f.offsets[set_ + 1] - f.offsets[set_]),
        first_key(f.key_offsets[set_]), keys(f.key_offsets[set_ + 1] - f.key_offsets[set_]), bias(nullptr),
        pairs_at(pairs ? pairs[set_] * f.heads + head_ * queries * keys : 0) {
    if (f.bias) bias = f.bias + pairs_at;
  }
  UPS_ON_DEVICE int64_t pair(int64_t query, int64_t key) const { return pairs_at + query * keys + key; }
};

template <int columns>
using Rows = float[tile][columns + 1];

// Copies `count` rows of a head to shared memory; what is beyond rows and columns becomes 0.
template <int columns>
UPS_ON_DEVICE void fetch(Rows<columns>& rows, const float* from, int64_t first, int64_t count, int64_t heads,
                         int64_t head, int64_t width) {
  for (int i = static_cast<int>(threadIdx.x); i < tile * columns; i += attention_threads) {
    const int row = i / columns, c = i % columns;
    rows[row][c] = row < count && c < width ? from[((first + row) * heads + head) * width + c] : 0.0f;
  }
}

// products[r] = <the warp's row r of `own`, row `lane` of `other`>
template <int columns>
UPS_ON_DEVICE void multiply_rows(const Rows<columns>& own, const Rows<columns>& other, int warp, int lane,
                                 int64_t width, float (&products)[warp_rows]) {
  UPS_UNROLL
  for (int r = 0; r < warp_rows; ++r) products[r] = 0.0f;
  for (int c = 0; c < width; ++c) {
    const float of_lane = other[lane][c];
    UPS_UNROLL
    for (int r = 0; r < warp_rows; ++r) products[r] = fmaf(own[warp * warp_rows + r][c], of_lane, products[r]);
  }
}

// The warp's eight rows of results: with fewer than 32 columns half of the lanes take the other
// half of the rows.
template <int columns>
struct OwnSums {
  static constexpr int across = columns < 32 ? columns : 32, groups = 32 / across;
  static constexpr int rows = warp_rows / groups, steps = columns / across;
  float sums[rows][steps];

  UPS_ON_DEVICE static int row(int lane, int r) { return lane / across * rows + r; }
  UPS_ON_DEVICE static int column(int lane, int step) { return lane % across + step * across; }
  UPS_ON_DEVICE void clear() {
    UPS_UNROLL
    for (int r = 0; r < rows; ++r) UPS_UNROLL
    for (int s = 0; s < steps; ++s) sums[r][s] = 0.0f;
  }
  // Adds weights[row][k] other[k]; what has no weight is not looked at, so that NaN of masked pairs
  // stays away.
  UPS_ON_DEVICE void add(const float (&weights)[warp_rows][tile + 1], const Rows<columns>& other, int lane) {
    for (int k = 0; k < tile; ++k) {
      float of_other[steps];
      UPS_UNROLL
      for (int s = 0; s < steps; ++s) of_other[s] = other[k][column(lane, s)];
      UPS_UNROLL
      for (int r = 0; r < rows; ++r) {
        const float weight = weights[row(lane, r)][k];
        UPS_UNROLL
        for (int s = 0; s < steps; ++s)
          sums[r][s] = weight == 0.0f ? sums[r][s] : fmaf(weight, of_other[s], sums[r][s]);
      }
    }
  }
  // store(row of the warp, column, sum)
  template <class Store>
  UPS_ON_DEVICE void each(int lane, Store store) {
    UPS_UNROLL
    for (int r = 0; r < rows; ++r) UPS_UNROLL
    for (int s = 0; s < steps; ++s) store(row(lane, r), column(lane, s), sums[r][s]);
  }
};

UPS_ON_DEVICE float score_of(const Attention<float>& f, const Place& at, int64_t query, int64_t key, float product) {
  if (query >= at.queries || key >= at.keys || (f.causal && key > query)) return minus_infinity;
  if (!at.bias) return product * f.scale;
  const float bias = at.bias[query * at.keys + key];
  return bias == minus_infinity ? minus_infinity : product * f.scale + bias;
}

// exp(score - largest), 0 where the pair is masked.
UPS_ON_DEVICE float weight_of(float score, float largest) {
  return score == minus_infinity ? 0.0f : expf(score - largest);
}

template <int columns>
struct ForwardMemory {
  Rows<columns> queries, keys;  // keys, then values
  float weights[warps][warp_rows][tile + 1];
};

template <int columns, bool drops>
UPS_KERNEL_LB(attention_threads, min_blocks)
attend(const int32_t* fault, AttentionForward<float> f, const int64_t* pairs) {
  if (*fault != 0) return;
  UPS_SHARED_DYN(ForwardMemory<columns>, memory);
  const Piece own = piece_at(blockIdx.x, f.offsets, f.sets);
  if (own.count == 0) return;
  const Place at(f, pairs, own.set, blockIdx.y);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const auto lanes = ups::Tile<32>::here();
  fetch<columns>(memory->queries, f.q, at.first_query + own.begin, own.count, f.heads, at.head, f.width);

  OwnSums<columns> sums;
  sums.clear();
  float largest[warp_rows], total[warp_rows];  // the same in every lane
  UPS_UNROLL
  for (int r = 0; r < warp_rows; ++r) largest[r] = minus_infinity, total[r] = 0.0f;
  const int64_t seen = f.causal ? ups::min(at.keys, own.begin + own.count) : at.keys;
  for (int64_t first = 0; first < seen; first += tile) {
    const int64_t count = ups::min<int64_t>(tile, at.keys - first);
    __syncthreads();
    fetch<columns>(memory->keys, f.k, at.first_key + first, count, f.heads, at.head, f.width);
    __syncthreads();
    float scores[warp_rows];
    multiply_rows<columns>(memory->queries, memory->keys, warp, lane, f.width, scores);
    float rescale[warp_rows];
    UPS_UNROLL
    for (int r = 0; r < warp_rows; ++r) {
      const float score = score_of(f, at, own.begin + warp * warp_rows + r, first + lane, scores[r]);
      const float most = lanes.max(score == score ? score : minus_infinity);
      const float now = ups::max(largest[r], most);
      rescale[r] = largest[r] == minus_infinity ? 1.0f : expf(largest[r] - now);
      const float weight = weight_of(score, now == minus_infinity ? 0.0f : now);
      total[r] = total[r] * rescale[r] + lanes.sum(weight);
      largest[r] = now;
      if constexpr (drops) {
        const int64_t pair = at.pair(own.begin + warp * warp_rows + r, first + lane);
        memory->weights[warp][r][lane] = f.keep.times(f.keep.factor(pair), weight);
      } else {
        memory->weights[warp][r][lane] = weight;
      }
    }
    UPS_UNROLL
    for (int r = 0; r < OwnSums<columns>::rows; ++r) {
      float factor = rescale[r];
      if (OwnSums<columns>::groups == 2 && lane >= 16) factor = rescale[(r + OwnSums<columns>::rows) % warp_rows];
      UPS_UNROLL
      for (int s = 0; s < OwnSums<columns>::steps; ++s) sums.sums[r][s] *= factor;
    }
    __syncthreads();
    fetch<columns>(memory->keys, f.v, at.first_key + first, count, f.heads, at.head, f.value_width);
    __syncthreads();
    sums.add(memory->weights[warp], memory->keys, lane);
  }

  // The totals of a lane's rows, by shared memory, as the lane's rows are not those of its index.
  __syncwarp(full_warp);
  if (lane == 0) UPS_UNROLL
  for (int r = 0; r < warp_rows; ++r) memory->weights[warp][r][0] = total[r];
  __syncwarp(full_warp);
  sums.each(lane, [&](int r, int c, float sum) {
    const int64_t i = warp * warp_rows + r;
    const float of_row = memory->weights[warp][r][0];
    if (i < own.count && c < f.value_width)
      f.y[((at.first_query + own.begin + i) * f.heads + at.head) * f.value_width + c] =
          of_row == 0.0f ? 0.0f : sum / of_row;
  });
  if (!f.softmax || lane != 0) return;
  UPS_UNROLL
  for (int r = 0; r < warp_rows; ++r) {
    const int64_t i = warp * warp_rows + r;
    if (i >= own.count) continue;
    float* const row = f.softmax + ((at.first_query + own.begin + i) * f.heads + at.head) * 2;
    row[0] = largest[r];
    row[1] = total[r];
  }
}

template <int columns>
struct BackwardMemory {
  Rows<columns> own, own_values, other, other_values;
  float weights[warps][warp_rows][tile + 1], dscores[warps][warp_rows][tile + 1];
};

// dscore of a pair and, after dropout, its weight.
template <bool drops>
struct Slope {
  float weight, dscore;
  UPS_ON_DEVICE Slope(const AttentionBackward<float>& f, const Place& at, const float* means, int64_t query,
                      int64_t key, float product, float dproduct) {
    weight = dscore = 0.0f;
    const float score = score_of(f, at, query, key, product);
    if (score == minus_infinity) return;
    const int64_t row = (at.first_query + query) * f.heads + at.head;
    const float total = f.softmax[2 * row + 1];
    if (total == 0.0f) return;
    const float p = expf(score - f.softmax[2 * row]) / total;
    if (p == 0.0f) return;
    const float factor = drops ? f.keep.factor(at.pair(query, key)) : 1.0f;
    weight = drops ? f.keep.times(factor, p) : p;
    dscore = p * ((drops ? f.keep.times(factor, dproduct) : dproduct) - means[row]);
  }
};

// dq and dbias of the block's queries.
template <int columns, bool drops>
UPS_KERNEL_LB(attention_threads, min_blocks)
differentiate_queries(const int32_t* fault, AttentionBackward<float> f, const int64_t* pairs, const float* means) {
  if (*fault != 0) return;
  UPS_SHARED_DYN(BackwardMemory<columns>, memory);
  const Piece own = piece_at(blockIdx.x, f.offsets, f.sets);
  if (own.count == 0) return;
  const Place at(f, pairs, own.set, blockIdx.y);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  fetch<columns>(memory->own, f.q, at.first_query + own.begin, own.count, f.heads, at.head, f.width);
  fetch<columns>(memory->own_values, f.dy, at.first_query + own.begin, own.count, f.heads, at.head, f.value_width);
  OwnSums<columns> sums;
  sums.clear();
  for (int64_t first = 0; first < at.keys; first += tile) {
    const int64_t count = ups::min<int64_t>(tile, at.keys - first);
    __syncthreads();
    fetch<columns>(memory->other, f.k, at.first_key + first, count, f.heads, at.head, f.width);
    fetch<columns>(memory->other_values, f.v, at.first_key + first, count, f.heads, at.head, f.value_width);
    __syncthreads();
    float products[warp_rows], dproducts[warp_rows];
    multiply_rows<columns>(memory->own, memory->other, warp, lane, f.width, products);
    multiply_rows<columns>(memory->own_values, memory->other_values, warp, lane, f.value_width, dproducts);
    UPS_UNROLL
    for (int r = 0; r < warp_rows; ++r) {
      const int64_t query = own.begin + warp * warp_rows + r, key = first + lane;
      const Slope<drops> slope(f, at, means, query, key, products[r], dproducts[r]);
      memory->dscores[warp][r][lane] = slope.dscore;
      if (f.dbias && query < at.queries && key < at.keys) f.dbias[at.pair(query, key)] = slope.dscore;
    }
    __syncwarp(full_warp);
    sums.add(memory->dscores[warp], memory->other, lane);
  }
  if (!f.dq) return;
  sums.each(lane, [&](int r, int c, float sum) {
    const int64_t i = warp * warp_rows + r;
    if (i < own.count && c < f.width)
      f.dq[((at.first_query + own.begin + i) * f.heads + at.head) * f.width + c] = sum * f.scale;
  });
}

// dk and dv of the block's keys.
template <int columns, bool drops>
UPS_KERNEL_LB(attention_threads, min_blocks)
differentiate_keys(const int32_t* fault, AttentionBackward<float> f, const int64_t* pairs, const float* means) {
  if (*fault != 0) return;
  UPS_SHARED_DYN(BackwardMemory<columns>, memory);
  const Piece own = piece_at(blockIdx.x, f.key_offsets, f.sets);
  if (own.count == 0) return;
  const Place at(f, pairs, own.set, blockIdx.y);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  fetch<columns>(memory->own, f.k, at.first_key + own.begin, own.count, f.heads, at.head, f.width);
  fetch<columns>(memory->own_values, f.v, at.first_key + own.begin, own.count, f.heads, at.head, f.value_width);
  OwnSums<columns> of_keys, of_values;
  of_keys.clear();
  of_values.clear();
  // With `causal` the first query that sees one of the keys has the number of the first of them.
  for (int64_t first = f.causal ? own.begin : 0; first < at.queries; first += tile) {
    const int64_t count = ups::min<int64_t>(tile, at.queries - first);
    __syncthreads();
    fetch<columns>(memory->other, f.q, at.first_query + first, count, f.heads, at.head, f.width);
    fetch<columns>(memory->other_values, f.dy, at.first_query + first, count, f.heads, at.head, f.value_width);
    __syncthreads();
    float products[warp_rows], dproducts[warp_rows];
    multiply_rows<columns>(memory->own, memory->other, warp, lane, f.width, products);
    multiply_rows<columns>(memory->own_values, memory->other_values, warp, lane, f.value_width, dproducts);
    UPS_UNROLL
    for (int r = 0; r < warp_rows; ++r) {
      const Slope<drops> slope(f, at, means, first + lane, own.begin + warp * warp_rows + r, products[r], dproducts[r]);
      memory->weights[warp][r][lane] = slope.weight;
      memory->dscores[warp][r][lane] = slope.dscore;
    }
    __syncwarp(full_warp);
    of_keys.add(memory->dscores[warp], memory->other, lane);
    of_values.add(memory->weights[warp], memory->other_values, lane);
  }
  const auto row_of = [&](int r) { return (at.first_key + own.begin + warp * warp_rows + r) * f.heads + at.head; };
  if (f.dk)
    of_keys.each(lane, [&](int r, int c, float sum) {
      if (warp * warp_rows + r < own.count && c < f.width) f.dk[row_of(r) * f.width + c] = sum * f.scale;
    });
  if (f.dv)
    of_values.each(lane, [&](int r, int c, float sum) {
      if (warp * warp_rows + r < own.count && c < f.value_width) f.dv[row_of(r) * f.value_width + c] = sum;
    });
}

// Calls run(width, drops) with the narrowest width that a head fits in.
template <class Run, class Drops>
void with_columns(const Attention<float>& f, Run&& run, Drops drops) {
  const int64_t columns = std::max(f.width, f.value_width);
  if (columns <= 16) run(std::integral_constant<int, 16>{}, drops);
  else if (columns <= 32) run(std::integral_constant<int, 32>{}, drops);
  else if (columns <= 64) run(std::integral_constant<int, 64>{}, drops);
  else run(std::integral_constant<int, max_columns>{}, drops);
}
template <class Run>
void with_columns(const Attention<float>& f, Run&& run) {
  if (f.keep.drops()) with_columns(f, run, std::true_type{});
  else with_columns(f, run, std::false_type{});
}

template <class Named>
bool supports(const Call& checked) {
  const Named call(checked);
  return call.dim("D") <= max_columns && call.dim("V") <= max_columns;
}

struct Scratch {
  int64_t* pairs = nullptr;
  float* means = nullptr;
  Scratch(const AttentionForward<float>& f, WorkspaceLayout& workspace) {
    if (f.needs_pairs()) pairs = workspace.reserve<int64_t>(f.sets + 1);
  }
  Scratch(const AttentionBackward<float>& f, WorkspaceLayout& workspace) {
    if (f.needs_pairs()) pairs = workspace.reserve<int64_t>(f.sets + 1);
    means = workspace.reserve<float>(f.queries * f.heads);
  }
};

void start(Launcher& launch, const Attention<float>& f, const Scratch& s) {
  if (s.pairs) launch.grid(count_pairs<32>, 1, 1, 32, 0, f.offsets, f.key_offsets, f.sets, s.pairs);
}

ups_status forward(const Call& call) {
  const AttentionForwardOf<float> f(call);
  const auto s = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  start(launch, f, s);
  clear_others(launch, f.y, f.queries, f.heads * f.value_width, f.offsets, f.sets);
  clear_others(launch, f.softmax, f.queries, f.heads * 2, f.offsets, f.sets, minus_infinity);
  with_columns(f, [&](auto width, auto dropping) {
    constexpr int columns = decltype(width)::value;
    constexpr bool drops = decltype(dropping)::value;
    launch.grid(attend<columns, drops>, places(f.queries, f.sets), f.heads, attention_threads,
                sizeof(ForwardMemory<columns>), f, s.pairs);
  });
  return launch.status();
}

ups_status backward(const Call& call) {
  const AttentionBackwardOf<float> f(call);
  const auto s = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  start(launch, f, s);
  clear_others(launch, f.dq, f.queries, f.heads * f.width, f.offsets, f.sets);
  clear_others(launch, f.dk, f.keys, f.heads * f.width, f.key_offsets, f.sets);
  clear_others(launch, f.dv, f.keys, f.heads * f.value_width, f.key_offsets, f.sets);
  launch_means(launch, f.dy, f.y, f.queries * f.heads, f.value_width, s.means);
  with_columns(f, [&](auto width, auto dropping) {
    constexpr int columns = decltype(width)::value;
    constexpr bool drops = decltype(dropping)::value;
    constexpr size_t bytes = sizeof(BackwardMemory<columns>);
    if (f.dq || f.dbias)
      launch.grid(differentiate_queries<columns, drops>, places(f.queries, f.sets), f.heads, attention_threads, bytes,
                  f, s.pairs, s.means);
    if (f.dk || f.dv)
      launch.grid(differentiate_keys<columns, drops>, places(f.keys, f.sets), f.heads, attention_threads, bytes, f,
                  s.pairs, s.means);
  });
  return launch.status();
}

UPS_CUDA_VARIANT(forward, AttentionForwardCall, forward, workspace_of<AttentionForwardOf<float>, Scratch>,
                 supports<AttentionForwardCall>)
UPS_CUDA_VARIANT(backward, AttentionBackwardCall, backward, workspace_of<AttentionBackwardOf<float>, Scratch>,
                 supports<AttentionBackwardCall>)

}  // namespace
}  // namespace upsilon
