// SIMD. Floor: arithmetic, for each pair of different particles 2 (sum of M_l M_(l-1)) FLOP forward
// and four times that backward, which computes the layers twice: for the scores, and for the
// gradients, whose values would else lie in memory. For four layers of 64, 64, 64 and 8 that is 17
// times the FLOP of 8 heads of 16 with the pair and its mirror image, which share it. Gelu takes as
// long as the products.
//
// A task has some events. The pairs of an event go through the layers in chunks, in L2, and leave
// their bias, [H, n, n], in the worker's scratch; then the heads follow as in attention.cpu.cc,
// whose code this is. Of an event with more than 128 particles a task has some rows, and the bias
// of as many rows at a time as have 16,384 pairs; there a pair and its mirror image are computed
// each in its own row.
//
// Backward, such rows are the queries of one attention to the whole event and the keys of another,
// so that every particle's gradients have one owner; what arrives at the bias of a pair and its
// mirror image is added up before it goes down the layers. The gradients of the parameters are
// summed as in mlp (lib/dense/weight_gradient.simd.h).
#include "pair_attention/pair_attention.h"

#include "lib/attention/one_head.h"
#include "pair_attention/pair_attention_call.h"

#define UPS_SIMD_SOURCE "pair_attention/pair_attention.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/attention/one_head.simd.h"
#include "lib/dense/layers.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/pair_rows.simd.h"
#include "lib/segments/set_pieces.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t piece_rows = 128;  // of a task; events with more particles are cut
constexpr int64_t max_pairs = piece_rows * piece_rows;  // whose bias a worker holds, if one row has not more
constexpr int64_t task_particles = 32;  // small events of a task
constexpr int64_t begin_of_bias = 0;

// Some rows of the matrix of an event's pairs: all of them, whose pairs are then taken once, or a
// part.
struct PairBlock {
  int32_t first, size;  // particles of the event
  int32_t begin, rows;  // particles of the rows

  bool whole() const { return rows == size; }
  // The pairs of row r are those with the first so many particles.
  int64_t partners(int64_t r) const { return whole() ? r + 1 : size; }
  // A pair that comes twice, here and where its partner's row is, counts half each time, as a
  // particle with itself does.
  float share(int64_t r, int64_t j) const { return whole() && j < r ? 1.0f : 0.5f; }
  QueriesAndKeys as_queries() const { return {{begin, begin + rows}, {first, first + size}}; }
  QueriesAndKeys as_keys() const { return {{first, first + size}, {begin, begin + rows}}; }
};

// Calls body(block) for the blocks of a piece.
template <class Body>
void each_block(const PairAttention<float>& f, const Piece& piece, Body&& body) {
  const int32_t first = f.offsets[piece.set], size = static_cast<int32_t>(f.size(piece.set));
  const int64_t rows = std::max<int64_t>(1, max_pairs / std::max(size, 1));
  for (int64_t begin = piece.begin; begin < piece.end; begin += rows)
    body(PairBlock{first, size, static_cast<int32_t>(begin), static_cast<int32_t>(std::min(rows, piece.end - begin))});
}

SetPieces pieces_of(const PairAttention<float>& f) { return {f.offsets, f.events, piece_rows, task_particles}; }

int64_t max_block_pairs(const PairAttention<float>& f) {
  return std::min(f.particles * f.particles, std::max(max_pairs, f.particles));
}

// A pair of a block, from which a walk over the pairs goes on.
struct PairCursor {
  int64_t row = 0, partner = 0;
};

// Calls body(row, partner, count, at) for runs of neighbouring pairs from `cursor` on, at most
// `most` pairs together; `at` pairs come before a run. Returns how many there were.
template <class Body>
int64_t each_run(const PairBlock& block, PairCursor& cursor, int64_t most, Body&& body) {
  int64_t at = 0;
  while (cursor.row < block.rows && at < most) {
    const int64_t partners = block.partners(cursor.row), count = std::min(partners - cursor.partner, most - at);
    body(cursor.row, cursor.partner, count, at);
    at += count;
    cursor.partner += count;
    if (cursor.partner == partners) cursor = {cursor.row + 1, 0};
  }
  return at;
}

// Features of a chunk's pairs. Returns how many pairs it has.
int64_t find_features(const PairAttention<float>& f, const KinematicColumns& kinematics, const PairBlock& block,
                      PairCursor& cursor, int64_t most, float* features) {
  return each_run(block, cursor, most, [&](int64_t row, int64_t partner, int64_t count, int64_t at) {
    pair_feature_row(kinematics, kinematics.get(block.begin + row), block.first + partner, count, f.eps,
                     features + at * pair_feature_count);
  });
}

// A block's bias, [H, rows, size], and its mirror image, [H, size, rows]: the same where it is the
// whole event's.
struct BlockBias {
  float *of_rows, *mirrored;  // mirrored may be null

  // of_pairs[pair, H] of a chunk.
  void put(const PairBlock& block, PairCursor cursor, int64_t most, int64_t heads, const float* of_pairs) const {
    each_run(block, cursor, most, [&](int64_t row, int64_t partner, int64_t count, int64_t at) {
      for (int64_t head = 0; head < heads; ++head) {
        const float* from = of_pairs + at * heads + head;
        float* const to = of_rows + (head * block.rows + row) * block.size + partner;
        for (int64_t j = 0; j < count; ++j) to[j] = from[j * heads];
        if (!mirrored) continue;
        float* const image = mirrored + (head * block.size + partner) * block.rows + row;
        for (int64_t j = 0; j < count; ++j) image[j * block.rows] = from[j * heads];
      }
    });
  }
  // The same of gradients, from both images: what goes down the layers.
  void get(const PairBlock& block, PairCursor cursor, int64_t most, int64_t heads, float* of_pairs) const {
    each_run(block, cursor, most, [&](int64_t row, int64_t partner, int64_t count, int64_t at) {
      for (int64_t head = 0; head < heads; ++head) {
        const float* from = of_rows + (head * block.rows + row) * block.size + partner;
        const float* image = mirrored + (head * block.size + partner) * block.rows + row;
        for (int64_t j = 0; j < count; ++j)
          of_pairs[(at + j) * heads + head] = block.share(row, partner + j) * (from[j] + image[j * block.rows]);
      }
    });
  }
};

// ---- forward ------------------------------------------------------------------------------------

struct PairScratch {
  int64_t chunk;  // pairs that go through the layers at once
  float *features, *hidden[2], *bias;
  ForwardScratch heads;

  PairScratch(const PairAttentionForward<float>& f, WorkspaceLayout& workspace)
      : chunk(rows_that_fit(2 * f.widest_layer(), 24, chunk_rows)),
        features(workspace.reserve<float>(chunk * pair_feature_count)),
        bias(workspace.reserve<float>(max_block_pairs(f) * f.heads)), heads(f.attention({}, nullptr), workspace) {
    for (float*& values : hidden) values = workspace.reserve<float>(chunk * f.widest_layer());
  }
};

struct ForwardMemory {
  PackedWeights weights;
  KinematicColumns kinematics;
  Shares<PairScratch> shares;

  ForwardMemory(const PairAttentionForward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : weights(reserve_transposed(f, f.layers, workspace)), kinematics(f.particles, workspace),
        shares(f, workers, workspace) {}
};

void find_bias(const PairAttentionForward<float>& f, const ForwardMemory& memory, const PairBlock& block,
               const PairScratch& s) {
  const BlockBias bias{s.bias, block.whole() ? s.bias : nullptr};
  for (PairCursor cursor; cursor.row < block.rows;) {
    const PairCursor begin = cursor;
    const int64_t count = find_features(f, memory.kinematics, block, cursor, s.chunk, s.features);
    const float* x = s.features;
    for (int32_t l = 0; l < f.layers; ++l) {
      apply_layer(f, l, memory.weights, x, count, s.hidden[l % 2], nullptr);
      x = s.hidden[l % 2];
    }
    bias.put(block, begin, s.chunk, f.heads, x);
  }
}

ups_status forward(const Call& call) {
  const PairAttentionForward<float> f(call);
  const auto memory = scratch_of<ForwardMemory>(call, f);
  pack_transposed(*call.threads, f, f.layers, memory.weights);
  memory.kinematics.compute(*call.threads, f.momenta, f.particles);
  clear_outside(call, f.y, f.particles, f.heads * f.value_width, f.offsets, f.events);
  clear_softmax_outside(f.softmax, f.particles, f.heads, f.offsets, f.events);
  const SetPieces events = pieces_of(f);
  call.threads->run(events.tasks(), [&](int64_t task, int32_t worker) {
    const PairScratch s = memory.shares.of(f, worker);
    events.each_of_task(task, [&](const Piece& piece) {
      each_block(f, piece, [&](const PairBlock& block) {
        find_bias(f, memory, block, s);
        const QueriesAndKeys at = block.as_queries();
        const AttentionForward<float> attention = f.attention(at, s.bias);
        for (int64_t head = 0; head < f.heads; ++head)
          attend_somehow(ForwardHead<float>(attention, 0, head, &begin_of_bias), {0, block.rows}, s.heads);
      });
    });
  });
  return UPS_OK;
}

// ---- backward -----------------------------------------------------------------------------------

struct PairBackwardScratch {
  float *features, *dfeatures, *bias, *dbias, *mirrored, *dmirrored;  // the mirrored ones of parts of events
  Kinematics* dkinematics;  // of a block's particles
  BackwardScratch heads;

  PairBackwardScratch(const PairAttentionBackward<float>& f, WorkspaceLayout& workspace)
      : features(workspace.reserve<float>(chunk_rows * pair_feature_count)),
        dfeatures(workspace.reserve<float>(chunk_rows * pair_feature_count)), bias(take_bias(f, workspace)),
        dbias(take_bias(f, workspace)), mirrored(f.particles > piece_rows ? take_bias(f, workspace) : nullptr),
        dmirrored(f.particles > piece_rows ? take_bias(f, workspace) : nullptr),
        dkinematics(workspace.reserve<Kinematics>(piece_rows)), heads(f.attention({}, nullptr, nullptr), workspace) {}
  static float* take_bias(const PairAttention<float>& f, WorkspaceLayout& workspace) {
    return workspace.reserve<float>(max_block_pairs(f) * f.heads);
  }
};

struct BackwardMemory {
  LayersBackward layers;
  int64_t chunk;  // pairs that go through the layers at once
  KinematicColumns kinematics;
  GroupSums groups;
  Shares<PairBackwardScratch> shares;

  BackwardMemory(const PairAttentionBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : layers(f, f.dmomenta != nullptr, true, workspace), chunk(rows_that_fit(layers.row_floats, 24, chunk_rows)),
        kinematics(f.particles, workspace),
        groups(ceil_div(f.particles + f.events, task_particles), layers.group_floats, workspace),
        shares(f, workers, workspace) {
    layers.reserve_workers(f, chunk, workers, workspace);
  }
};

// dq, dk and dv of a block's particles, and the gradients of its bias.
void differentiate_heads(const PairAttentionBackward<float>& f, const PairBlock& block, const PairBackwardScratch& s) {
  const QueriesAndKeys as_queries = block.as_queries(), as_keys = block.as_keys();
  const bool wants_bias = f.wants_bias();
  const AttentionBackward<float> of_queries = f.attention(as_queries, s.bias, wants_bias ? s.dbias : nullptr);
  AttentionBackward<float> of_keys = f.attention(as_keys, s.mirrored, wants_bias ? s.dmirrored : nullptr);
  of_keys.dq = nullptr;
  const Range rows{0, block.rows}, all{0, block.size};
  for (int64_t head = 0; head < f.heads; ++head) {
    const BackwardHead<float> query(of_queries, 0, head, &begin_of_bias);
    differentiate_somehow(query, rows, all, {true, block.whole()}, s.heads);
    if (block.whole()) continue;
    const BackwardHead<float> key(of_keys, 0, head, &begin_of_bias);
    differentiate_somehow(key, all, rows, {wants_bias, true}, s.heads);
  }
}

// Adds what a run of pairs has for the momenta; g: the features' gradients.
void add_momenta(const PairAttentionBackward<float>& f, const KinematicColumns& kinematics, const PairBlock& block,
                 int64_t row, int64_t partner, int64_t count, const float* g, Kinematics* to) {
  const Kinematics own = kinematics.get(block.begin + row);
  for (int64_t j = partner; j < partner + count; ++j, g += pair_feature_count) {
    const Kinematics other = kinematics.get(block.first + j);
    const double twice = block.share(row, j) < 1.0f ? 2.0 : 1.0;
    const double of_pair[pair_feature_count] = {twice * static_cast<double>(g[0]), twice * static_cast<double>(g[1]),
                                                twice * static_cast<double>(g[2]), twice * static_cast<double>(g[3])};
    add_pair_gradient(own, other, f.eps, of_pair, to[row]);
    if (twice == 1.0) add_pair_gradient(other, own, f.eps, of_pair, to[j]);
  }
}

// From the gradients of a block's bias to those of the parameters, which are added to `sums`, and
// of its momenta.
void differentiate_bias(const PairAttentionBackward<float>& f, const BackwardMemory& memory, const PairBlock& block,
                        const PairBackwardScratch& s, float* own, float* sums) {
  const LayersBackward& layers = memory.layers;
  const BlockBias dbias{s.dbias, block.whole() ? s.dbias : s.dmirrored};
  float* const dh = own + layers.gradients[f.layers % 2];
  std::fill_n(s.dkinematics, block.rows, Kinematics{});
  for (PairCursor cursor; cursor.row < block.rows;) {
    const PairCursor begin = cursor;
    const int64_t count = find_features(f, memory.kinematics, block, cursor, memory.chunk, s.features);
    layers.up(f, s.features, count, own);
    dbias.get(block, begin, memory.chunk, f.heads, dh);
    layers.down(f, f, s.features, dh, count, f.dmomenta ? s.dfeatures : nullptr, own, sums);
    PairCursor again = begin;
    if (f.dmomenta)
      each_run(block, again, memory.chunk, [&](int64_t row, int64_t partner, int64_t run, int64_t at) {
        add_momenta(f, memory.kinematics, block, row, partner, run, s.dfeatures + at * pair_feature_count,
                    s.dkinematics);
      });
  }
  for (int64_t r = 0; f.dmomenta && r < block.rows; ++r)
    momentum_gradient(memory.kinematics.get(block.begin + r), s.dkinematics[r],
                      f.dmomenta + (block.begin + r) * pair_columns_of_momenta);
}

ups_status backward(const Call& call) {
  const PairAttentionBackward<float> f(call);
  const auto memory = scratch_of<BackwardMemory>(call, f);
  const LayersBackward& layers = memory.layers;
  layers.pack(*call.threads, f);
  memory.kinematics.compute(*call.threads, f.momenta, f.particles);
  clear_outside(call, f.dmomenta, f.particles, pair_columns_of_momenta, f.offsets, f.events);
  clear_outside(call, f.dq, f.particles, f.heads * f.width, f.offsets, f.events);
  clear_outside(call, f.dk, f.particles, f.heads * f.width, f.offsets, f.events);
  clear_outside(call, f.dv, f.particles, f.heads * f.value_width, f.offsets, f.events);
  const SetPieces events = pieces_of(f);
  memory.groups.run(*call.threads, [&](int64_t task, float* sums, int32_t worker) {
    if (task >= events.tasks()) return;
    const PairBackwardScratch s = memory.shares.of(f, worker);
    float* const own = layers.own(worker);
    events.each_of_task(task, [&](const Piece& piece) {
      each_block(f, piece, [&](const PairBlock& block) {
        const BlockBias bias{s.bias, block.whole() ? s.bias : s.mirrored};
        for (PairCursor cursor; cursor.row < block.rows;) {
          const PairCursor begin = cursor;
          const int64_t count = find_features(f, memory.kinematics, block, cursor, memory.chunk, s.features);
          layers.up(f, s.features, count, own);
          bias.put(block, begin, memory.chunk, f.heads, own + layers.values[f.layers - 1]);
        }
        differentiate_heads(f, block, s);
        if (f.wants_bias()) differentiate_bias(f, memory, block, s, own, sums);
      });
    });
  });
  layers.total(*call.threads, f, f, memory.groups);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, PairAttentionForwardCall, forward, workspace_of<PairAttentionForward<float>, ForwardMemory>)
UPS_CPU_VARIANT(backward, PairAttentionBackwardCall, backward,
                workspace_of<PairAttentionBackward<float>, BackwardMemory>)

UPS_SIMD_END
