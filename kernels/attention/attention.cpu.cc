// SIMD. Floor: arithmetic. For each pair and head 2 (D + V) FLOP and one exp forward, 6 D + 4 V
// FLOP and one exp backward; 16 exp of AVX-512 take as long as some ten products of vectors, which
// counts for narrow heads: with D = V = 16 a third of the time. Bytes: q, k, v, y and their
// gradients once; of a bias 4 for each pair and head, which is more than all of these in sets of
// more than 2 (D + V). All else stays in L1 and L2.
//
// Keys come in tiles of 128, whose k, transposed, and v are packed once for many queries. Forward,
// a dozen queries at a time: their scores with the tile (6 KiB), exp of them, their products with
// v; from tile to tile the largest score and the sums are carried along (online softmax: M. Milakov
// and N. Gimelshein, arXiv:1805.02867; T. Dao et al., arXiv:2205.14135). Backward, 48 queries at a
// time: scores and <dy, v> with the tile, from which p and dscore; then dv += p^T dy, dk +=
// dscore^T q, dq += dscore k. Sets of up to 512 queries and keys are done so by one task for each
// head, all gradients in one pass. Longer ones take two, one for the keys, one for the queries:
// each gradient has one owner, whose sums run in a fixed order.
//
// Sets with NaN or infinities take the plain loops of one_head.h: products of whole tiles multiply
// what is masked by 0.
#include "attention/attention.h"

#include <atomic>

#include "attention/attention_call.h"
#include "lib/attention/one_head.h"

#define UPS_SIMD_SOURCE "attention/attention.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/attention/one_head.simd.h"
#include "lib/segments/set_pieces.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t whole = 512;  // queries and keys of a set that backward does in one pass
constexpr int64_t part = 128;  // queries, or keys, of a task of a longer one
constexpr int64_t task_elements = 128;  // small sets of a task

// Where each set's pairs begin, if that is asked for, and the share of every worker.
template <class Scratch>
struct Memory {
  int64_t* pairs;
  Shares<Scratch> shares;

  template <class F>
  Memory(const F& f, int32_t workers, WorkspaceLayout& workspace)
      : pairs(f.needs_pairs() ? workspace.reserve<int64_t>(f.sets + 1) : nullptr), shares(f, workers, workspace) {}
};

// Calls body(piece, head, worker) for pieces of the sets' elements and every head: the heads of a
// piece one after the other, as their rows lie side by side, or each in a task of its own where
// there are few pieces.
template <class Body>
void each_piece(const Call& call, const SetPieces& pieces, int64_t heads, Body&& body) {
  if (heads == 0) return;
  constexpr int64_t tasks_of_worker = 8;
  if (pieces.tasks() >= tasks_of_worker * call.threads->count())
    return call.threads->run(pieces.tasks(), [&](int64_t task, int32_t worker) {
      pieces.each_of_task(task, [&](const Piece& piece) {
        for (int64_t head = 0; head < heads; ++head) body(piece, head, worker);
      });
    });
  call.threads->run(pieces.tasks() * heads, [&](int64_t task, int32_t worker) {
    pieces.each_of_task(task / heads, [&](const Piece& piece) { body(piece, task % heads, worker); });
  });
}

ups_status forward(const Call& call) {
  const AttentionForwardOf<float> f(call);
  const auto memory = scratch_of<Memory<ForwardScratch>>(call, f);
  if (memory.pairs) count_pairs(f, memory.pairs);
  clear_outside(call, f.y, f.queries, f.heads * f.value_width, f.offsets, f.sets);
  clear_softmax_outside(f.softmax, f.queries, f.heads, f.offsets, f.sets);
  each_piece(call, {f.offsets, f.sets, piece_queries, task_elements}, f.heads,
             [&](const Piece& piece, int64_t head, int32_t worker) {
               const ForwardHead<float> one(f, piece.set, head, memory.pairs);
               const int64_t set_begin = f.offsets[piece.set];
               const Range queries{piece.begin - set_begin, piece.end - set_begin};
               attend_somehow(one, queries, memory.shares.of(f, worker));
             });
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const AttentionBackwardOf<float> f(call);
  const auto memory = scratch_of<Memory<BackwardScratch>>(call, f);
  if (memory.pairs) count_pairs(f, memory.pairs);
  clear_outside(call, f.dq, f.queries, f.heads * f.width, f.offsets, f.sets);
  clear_outside(call, f.dk, f.keys, f.heads * f.width, f.key_offsets, f.sets);
  clear_outside(call, f.dv, f.keys, f.heads * f.value_width, f.key_offsets, f.sets);
  std::atomic<bool> any_long{false};
  each_piece(call, {f.offsets, f.sets, whole, task_elements}, f.heads,
             [&](const Piece& piece, int64_t head, int32_t worker) {
               if (piece.index > 0) return;
               const BackwardHead<float> one(f, piece.set, head, memory.pairs);
               if (one.queries > whole || one.keys > whole) any_long.store(true, std::memory_order_relaxed);
               else
                 differentiate_somehow(one, {0, one.queries}, {0, one.keys}, {true, true}, memory.shares.of(f, worker));
             });
  if (!any_long.load(std::memory_order_relaxed)) return UPS_OK;
  const auto each_part = [&](const int32_t* offsets, bool of_queries) {
    each_piece(call, {offsets, f.sets, part, part}, f.heads, [&](const Piece& piece, int64_t head, int32_t worker) {
      const BackwardHead<float> one(f, piece.set, head, memory.pairs);
      if (one.queries <= whole && one.keys <= whole) return;
      const Range own{piece.begin - offsets[piece.set], piece.end - offsets[piece.set]};
      const Range queries{0, one.queries}, keys{0, one.keys};
      differentiate_somehow(one, of_queries ? own : queries, of_queries ? keys : own, {of_queries, !of_queries},
                            memory.shares.of(f, worker));
    });
  };
  if (f.dk || f.dv) each_part(f.key_offsets, false);
  if (f.dq || f.dbias) each_part(f.offsets, true);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, AttentionForwardCall, forward, workspace_of<AttentionForwardOf<float>, Memory<ForwardScratch>>)
UPS_CPU_VARIANT(backward, AttentionBackwardCall, backward,
                workspace_of<AttentionBackwardOf<float>, Memory<BackwardScratch>>)

UPS_SIMD_END
