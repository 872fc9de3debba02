// One team of threads per piece of a segment and group of columns: lanes are neighbouring columns,
// 8 slots share the rows. Floor: x once through memory.
#include "lib/segments/segments.h"

#include "lib/segments/segment_pools.cuh"

namespace upsilon {
namespace {

constexpr int slots = 8;
constexpr int pool_threads = 256;

template <class Pool, int lanes>
UPS_KERNEL_LB(pool_threads)
pool_pieces(const int32_t* fault, Segments s, int64_t items, SegmentPieces<Pool> pieces, Results<Pool> results) {
  if (*fault != 0) return;
  constexpr int teams = pool_threads / (slots * lanes);
  UPS_SHARED(Pool, partial, [pool_threads]);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % lanes, slot = thread / lanes % slots, team = thread / (slots * lanes);
  const int64_t column_groups = (s.columns + lanes - 1) / lanes;
  const int64_t work = static_cast<int64_t>(blockIdx.x) * teams + team;
  const int64_t item = work / column_groups, column = work % column_groups * lanes + lane;

  RowPiece piece{-1, 0, 0};
  if (item < items) piece = piece_of_item<segment_piece>(s.offsets, s.segments, item);
  const int64_t segment = piece.row;

  Pool pool = Pool::empty();
  if (segment >= 0 && column < s.columns)
    for (int64_t p = piece.begin + slot; p < piece.end; p += slots) {
      const int64_t row = s.order ? s.order[p] : p;
      pool.add(s.x[row * s.x_stride + column], static_cast<int32_t>(p));
    }
  partial[thread] = pool;
  UPS_UNROLL
  for (int half = slots / 2; half > 0; half /= 2) {
    __syncthreads();
    if (slot < half) {
      pool.join(partial[thread + half * lanes]);
      partial[thread] = pool;
    }
  }
  if (slot != 0 || segment < 0 || column >= s.columns) return;
  const int64_t size = s.offsets[segment + 1] - s.offsets[segment];
  if (size <= segment_piece) results.put(segment, column, pool, size);
  else pieces.put(item * s.columns + column, pool);
}

int64_t windows(const Segments& s) { return later_windows<segment_piece>(s.positions); }

template <class Pool, int lanes>
void launch_pieces(Launcher& launch, const Segments& s, SegmentPieces<Pool> pieces, Results<Pool> results) {
  const int64_t items = s.segments + windows(s);
  constexpr int teams = pool_threads / (slots * lanes);
  launch.grid(pool_pieces<Pool, lanes>, ceil_div(items * ceil_div(s.columns, lanes), teams), 1, pool_threads, 0, s,
              items, pieces, results);
}

template <class Pool>
void pool(Launcher& launch, const Segments& s, SegmentPieces<Pool> pieces, Results<Pool> results) {
  if (s.segments == 0 || s.columns == 0) return;
  if (s.columns > 8) launch_pieces<Pool, 32>(launch, s, pieces, results);
  else launch_pieces<Pool, 8>(launch, s, pieces, results);
  if (windows(s) > 0)
    launch.elements(join_pieces<Pool>, s.segments * s.columns, s.offsets, s.segments, s.columns, pieces, results);
}

}  // namespace

int64_t segment_floats(const Segments& s) { return windows(s) > 0 ? (s.segments + windows(s)) * s.columns : 0; }

void segment_sums(Launcher& launch, const Segments& segments, bool mean, float* scratch, float* y) {
  pool<Sum>(launch, segments, {scratch, nullptr}, {y, segments.columns, nullptr, segments.columns, mean, nullptr});
}

void segment_extremes(Launcher& launch, const Segments& segments, bool smallest, float* scratch, int32_t* scratch_where,
                      float* y, int32_t* where) {
  const auto with = [&]<class Pool>(Pool) {
    pool<Pool>(launch, segments, {scratch, scratch_where},
               {y, segments.columns, where, segments.columns, false, nullptr});
  };
  smallest ? with(Extreme<true>{}) : with(Extreme<false>{});
}

}  // namespace upsilon
