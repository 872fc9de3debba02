// Attention of one head of one set, tile by tile: attention.cpu.cc says how. Compiled in
// lib/attention/one_head.cpu.cc.
#if defined(UPS_LIB_ATTENTION_ONE_HEAD_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_ATTENTION_ONE_HEAD_SIMD_H
#undef UPS_LIB_ATTENTION_ONE_HEAD_SIMD_H
#else
#define UPS_LIB_ATTENTION_ONE_HEAD_SIMD_H
#endif

#include "lib/attention/one_head.h"
#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

constexpr int64_t piece_queries = 512;  // of one task, forward

// What a worker packs and computes, forward.
struct ForwardScratch {
  float *k, *k_panels, *v, *scores, *sums, *largest, *total;
  int64_t width, value_width;  // padded
  ForwardScratch(const Attention<float>& f, WorkspaceLayout& workspace);
};

// y of some queries of a head, whatever the numbers are.
void attend_somehow(const ForwardHead<float>& f, Range queries, const ForwardScratch& s);

// The same, backward.
struct BackwardScratch {
  int64_t width, value_width;  // padded
  float *k, *k_panels, *v, *v_panels, *dk, *dv;  // of a tile of keys
  float *q, *dy, *dq, *p, *dscores, *mean;  // of a block of queries
  BackwardScratch(const Attention<float>& f, WorkspaceLayout& workspace);
};

// Which gradients a pass over pairs of queries and keys computes, and over which queries and keys.
struct Wanted {
  bool of_queries, of_keys;  // dq and dbias; dk and dv
};

// The gradients of some pairs of queries and keys, whatever the numbers are.
void differentiate_somehow(const BackwardHead<float>& f, Range queries, Range keys, Wanted wanted,
                           const BackwardScratch& s);

// The share of every worker in a call's scratch.
template <class Scratch>
struct Shares {
  char* shares;
  size_t share_bytes;

  template <class F>
  Shares(const F& f, int32_t workers, WorkspaceLayout& workspace) : share_bytes(bytes_of_share(f)) {
    shares = workspace.reserve<char>(workers * static_cast<int64_t>(share_bytes));
  }
  template <class F>
  static size_t bytes_of_share(const F& f) {
    WorkspaceLayout workspace(nullptr);
    (void)Scratch(f, workspace);
    return workspace.bytes();
  }
  template <class F>
  Scratch of(const F& f, int32_t worker) const {
    WorkspaceLayout workspace(shares + static_cast<size_t>(worker) * share_bytes);
    return Scratch(f, workspace);
  }
};

// Zeroes rows outside every set.
void clear_outside(const Call& call, float* rows, int64_t count, int64_t width, const int32_t* offsets, int64_t sets);
// The same for what `softmax` has of queries outside every set.
void clear_softmax_outside(float* softmax, int64_t queries, int64_t heads, const int32_t* offsets, int64_t sets);

UPS_SIMD_SHARED_END

#endif
