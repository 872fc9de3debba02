// SIMD. Floor: memory, 16 bytes for each pair forward; arithmetic comes close, as four logarithms
// of float64 take some 80 instructions for the pairs of a vector. Each particle's rapidity and
// azimuth are found once. A task has some rows of an event. Backward, which training needs only
// where the momenta are made by a network, is float64 pair by pair: each particle's gradient has
// one owner, who adds up both places of its pairs in order.
#include "pair_features/pair_features.h"

#include "pair_features/pair_features_call.h"

#define UPS_SIMD_SOURCE "pair_features/pair_features.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/pair_rows.simd.h"
#include "lib/segments/set_pieces.simd.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t piece_rows = 32;

struct Scratch {
  int64_t* pairs;  // before each event
  KinematicColumns columns;
  Scratch(const PairFeatures<float>& f, WorkspaceLayout& workspace)
      : pairs(workspace.reserve<int64_t>(f.events + 1)), columns(f.particles, workspace) {}

  void start(const Call& call, const PairFeatures<float>& f) const {
    pairs[0] = 0;
    for (int64_t event = 0; event < f.events; ++event) pairs[event + 1] = pairs[event] + f.size(event) * f.size(event);
    columns.compute(*call.threads, f.momenta, f.particles);
  }
};

ups_status forward(const Call& call) {
  const PairFeaturesForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  scratch.start(call, f);
  SetPieces{f.offsets, f.events, piece_rows, piece_rows}.each(*call.threads, [&](const Piece& piece) {
    const int64_t first = f.offsets[piece.set], size = f.size(piece.set);
    for (int64_t i = piece.begin; i < piece.end; ++i)
      pair_feature_row(scratch.columns, scratch.columns.get(i), first, size, f.eps,
                       f.features + (scratch.pairs[piece.set] + (i - first) * size) * pair_feature_count);
  });
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const PairFeaturesBackward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  scratch.start(call, f);
  const int64_t begin = f.offsets[0], end = f.offsets[f.events];
  fill_zero(*call.threads, f.dmomenta, begin * pair_columns_of_momenta);
  fill_zero(*call.threads, f.dmomenta + end * pair_columns_of_momenta, (f.particles - end) * pair_columns_of_momenta);
  SetPieces{f.offsets, f.events, piece_rows, piece_rows}.each(*call.threads, [&](const Piece& piece) {
    const int64_t first = f.offsets[piece.set];
    const auto kinematics = [&](int64_t j) { return scratch.columns.get(first + j); };
    for (int64_t i = piece.begin; i < piece.end; ++i)
      f.of_particle(kinematics, f.dfeatures + scratch.pairs[piece.set] * pair_feature_count, f.size(piece.set),
                    i - first, f.dmomenta + i * pair_columns_of_momenta);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, PairFeaturesForwardCall, forward, workspace_of<PairFeaturesForward<float>, Scratch>)
UPS_CPU_VARIANT(backward, PairFeaturesBackwardCall, backward, workspace_of<PairFeaturesBackward<float>, Scratch>)

UPS_SIMD_END
