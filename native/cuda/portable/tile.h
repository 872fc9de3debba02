// A group of N neighbouring lanes (N a power of two, at most a warp) that works together by
// shuffles. Every lane of the tile takes part in every call.  Sums are trees: the order of
// additions is fixed, so the same input gives the same bits.
#pragma once

namespace ups {

template <int N>
struct Tile {
  static_assert(N >= 1 && N <= 32 && (N & (N - 1)) == 0, "a tile has 1, 2, 4, 8, 16 or 32 lanes");
  static constexpr int size = N;

  unsigned mask;  // of the warp's lanes
  int rank;       // of this lane in its tile

  UPS_ON_DEVICE static Tile here() {
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned lane = thread & 31u;
    const unsigned lanes = N == 32 ? 0xffffffffu : (1u << (N & 31)) - 1u;
    Tile tile;
    tile.rank = static_cast<int>(lane & static_cast<unsigned>(N - 1));
    tile.mask = lanes << (lane & ~static_cast<unsigned>(N - 1));
    return tile;
  }

  UPS_ON_DEVICE void sync(UPS_SITE) const { __syncwarp(mask UPS_PASS_SITE); }

  template <class T>
  UPS_ON_DEVICE T shfl(T value, int source_rank UPS_AND_SITE) const {
    return __shfl_sync(mask, value, source_rank, N UPS_PASS_SITE);
  }
  template <class T>
  UPS_ON_DEVICE T shfl_xor(T value, int lane_mask UPS_AND_SITE) const {
    return __shfl_xor_sync(mask, value, lane_mask, N UPS_PASS_SITE);
  }
  template <class T>
  UPS_ON_DEVICE T shfl_up(T value, int distance UPS_AND_SITE) const {
    return __shfl_up_sync(mask, value, static_cast<unsigned>(distance), N UPS_PASS_SITE);
  }
  template <class T>
  UPS_ON_DEVICE T shfl_down(T value, int distance UPS_AND_SITE) const {
    return __shfl_down_sync(mask, value, static_cast<unsigned>(distance), N UPS_PASS_SITE);
  }

  // Bit r is the predicate of rank r.
  UPS_ON_DEVICE unsigned ballot(bool predicate UPS_AND_SITE) const {
    const unsigned first_lane = static_cast<unsigned>(__ffs(static_cast<int>(mask)) - 1);
    return (__ballot_sync(mask, predicate UPS_PASS_SITE) & mask) >> first_lane;
  }
  UPS_ON_DEVICE bool any(bool predicate UPS_AND_SITE) const { return __any_sync(mask, predicate UPS_PASS_SITE) != 0; }
  UPS_ON_DEVICE bool all(bool predicate UPS_AND_SITE) const { return __all_sync(mask, predicate UPS_PASS_SITE) != 0; }

  // The results of sum, max and min are the same in every lane.
  template <class T>
  UPS_ON_DEVICE T sum(T value UPS_AND_SITE) const {
    UPS_UNROLL
    for (int distance = N / 2; distance > 0; distance /= 2)
      value += __shfl_xor_sync(mask, value, distance, N UPS_PASS_SITE);
    return value;
  }
  template <class T>
  UPS_ON_DEVICE T max(T value UPS_AND_SITE) const {
    UPS_UNROLL
    for (int distance = N / 2; distance > 0; distance /= 2)
      value = ups::max(value, __shfl_xor_sync(mask, value, distance, N UPS_PASS_SITE));
    return value;
  }
  template <class T>
  UPS_ON_DEVICE T min(T value UPS_AND_SITE) const {
    UPS_UNROLL
    for (int distance = N / 2; distance > 0; distance /= 2)
      value = ups::min(value, __shfl_xor_sync(mask, value, distance, N UPS_PASS_SITE));
    return value;
  }

  // The sum over the ranks up to and including this one.
  template <class T>
  UPS_ON_DEVICE T inclusive_sum(T value UPS_AND_SITE) const {
    UPS_UNROLL
    for (int distance = 1; distance < N; distance *= 2) {
      const T below = __shfl_up_sync(mask, value, static_cast<unsigned>(distance), N UPS_PASS_SITE);
      if (rank >= distance) value += below;
    }
    return value;
  }
};

template <class T>
UPS_ON_DEVICE T warp_sum(T value UPS_AND_SITE) {
  return Tile<32>::here().sum(value UPS_PASS_SITE);
}
template <class T>
UPS_ON_DEVICE T warp_max(T value UPS_AND_SITE) {
  return Tile<32>::here().max(value UPS_PASS_SITE);
}
template <class T>
UPS_ON_DEVICE T warp_min(T value UPS_AND_SITE) {
  return Tile<32>::here().min(value UPS_PASS_SITE);
}

}  // namespace ups
