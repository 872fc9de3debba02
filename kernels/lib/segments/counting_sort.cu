// Each pass sorts by one digit: every block counts the digits of its chunk; the counts of each
// digit are summed over the chunks; every block then knows where its first element of each digit
// goes. The warps of a block take neighbouring parts of the chunk, and a warp ranks 32 elements at
// a time by matching digits, so equal keys keep their order.
#include "lib/segments/counting_sort.h"

namespace upsilon {
namespace {

constexpr int digit_bits = 8, digits = 1 << digit_bits;
constexpr int sort_threads = 256, sort_warps = sort_threads / 32;
static_assert(sort_threads == digits);
constexpr int rounds = 8;  // of 32 elements for each warp
constexpr int64_t chunk_size = sort_threads * rounds;

// Counts the digits of this warp's part of the chunk in its row of `counts`; rank[r] becomes the
// number of earlier elements of the part with the same digit.
UPS_ON_DEVICE void rank_digits(const int32_t* keys, int64_t first, int64_t count, int shift, int* counts,
                               int (&rank)[rounds]) {
  const unsigned lane = threadIdx.x % 32;
  UPS_UNROLL
  for (int r = 0; r < rounds; ++r) {
    const int64_t i = first + 32 * r + lane;
    // Elements behind the end match each other only.
    const int digit = i < count ? keys[i] >> shift & (digits - 1) : digits;
    const unsigned peers = __match_any_sync(full_warp, digit);
    const int before = i < count ? counts[digit] : 0;
    rank[r] = before + __popc(peers & ((1u << lane) - 1u));
    __syncwarp();
    if (i < count && (peers >> lane) == 1u) counts[digit] = rank[r] + 1;  // the last of the peers
    __syncwarp();
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
count_digits(const int32_t* fault, const int32_t* keys, int64_t count, int shift, int32_t* counts) {
  if (*fault != 0) return;
  UPS_SHARED(int, of_warp, [sort_warps][digits]);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  for (int w = 0; w < sort_warps; ++w) of_warp[w][thread] = 0;
  __syncthreads();
  int rank[rounds];
  rank_digits(keys, blockIdx.x * chunk_size + warp * 32 * rounds, count, shift, of_warp[warp], rank);
  __syncthreads();
  int total = 0;
  for (int w = 0; w < sort_warps; ++w) total += of_warp[w][thread];
  counts[static_cast<int64_t>(thread) * gridDim.x + blockIdx.x] = total;
}

// One block per digit: counts[digit][chunk] becomes the sum over the chunks before, totals[digit]
// the sum of all.
template <int threads>
UPS_KERNEL_LB(threads)
sum_counts(const int32_t* fault, int32_t* counts, int64_t chunks, int32_t* totals) {
  if (*fault != 0) return;
  UPS_SHARED(int, warp_total, [threads / 32]);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  int32_t* const row = counts + blockIdx.x * chunks;
  int before = 0;  // the sum of what the block has passed
  for (int64_t first = 0; first < chunks; first += threads) {
    const int own = first + thread < chunks ? row[first + thread] : 0;
    const int inclusive = ups::Tile<32>::here().inclusive_sum(own);
    if (lane == 31) warp_total[warp] = inclusive;
    __syncthreads();
    int below = before;
    for (int w = 0; w < threads / 32; ++w) {
      if (w < warp) below += warp_total[w];
      before += warp_total[w];
    }
    if (first + thread < chunks) row[first + thread] = below + inclusive - own;
    __syncthreads();
  }
  if (thread == 0) totals[blockIdx.x] = before;
}

// The same for few chunks: one block, a thread per digit.
constexpr int64_t few_chunks = 2;

template <int threads>
UPS_KERNEL_LB(threads)
sum_few_counts(const int32_t* fault, int32_t* counts, int64_t chunks, int32_t* totals) {
  if (*fault != 0) return;
  int32_t* const row = counts + static_cast<int64_t>(threadIdx.x) * chunks;
  int32_t before = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int32_t own = row[chunk];
    row[chunk] = before;
    before += own;
  }
  totals[threadIdx.x] = before;
}

template <int threads>
UPS_KERNEL_LB(threads)
scatter(const int32_t* fault, const int32_t* keys, const int32_t* order, int64_t count, int shift,
        const int32_t* counts, const int32_t* totals, int32_t* sorted_keys, int32_t* sorted_order) {
  if (*fault != 0) return;
  UPS_SHARED(int, of_warp, [sort_warps][digits]);
  UPS_SHARED(int, warp_total, [sort_warps]);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  for (int w = 0; w < sort_warps; ++w) of_warp[w][thread] = 0;
  __syncthreads();
  const int64_t first = blockIdx.x * chunk_size + warp * 32 * rounds;
  int rank[rounds];
  rank_digits(keys, first, count, shift, of_warp[warp], rank);
  // Where each digit begins: after all smaller digits, and after this digit in earlier chunks and
  // warps.
  const int total = totals[thread], inclusive = ups::Tile<32>::here().inclusive_sum(total);
  if (lane == 31) warp_total[warp] = inclusive;
  __syncthreads();
  int start = inclusive - total + counts[static_cast<int64_t>(thread) * gridDim.x + blockIdx.x];
  for (int w = 0; w < warp; ++w) start += warp_total[w];
  for (int w = 0; w < sort_warps; ++w) {
    const int here = of_warp[w][thread];
    of_warp[w][thread] = start;
    start += here;
  }
  __syncthreads();
  UPS_UNROLL
  for (int r = 0; r < rounds; ++r) {
    const int64_t i = first + 32 * r + lane;
    if (i >= count) continue;
    const int32_t key = keys[i];
    const int to = of_warp[warp][key >> shift & (digits - 1)] + rank[r];
    sorted_keys[to] = key;
    sorted_order[to] = order ? order[i] : static_cast<int32_t>(i);
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
find_buckets(const int32_t* fault, const int32_t* keys, int64_t count, int32_t* offsets, int64_t offset_count) {
  if (*fault != 0) return;
  for (int64_t b = global_thread(); b < offset_count; b += global_threads())
    offsets[b] = static_cast<int32_t>(lower_bound(keys, count, b));
}

}  // namespace

CountingSort::CountingSort(WorkspaceLayout& workspace, int64_t count_, int64_t buckets_)
    : count(count_), buckets(buckets_), passes(1) {
  while (digit_bits * passes < 31 && (buckets - 1) >> (digit_bits * passes) > 0) ++passes;
  keys = workspace.reserve<int32_t>(count);
  order = workspace.reserve<int32_t>(count);
  other_keys = workspace.reserve<int32_t>(count);
  other_order = workspace.reserve<int32_t>(count);
  counts = workspace.reserve<int32_t>(digits * ceil_div(count, chunk_size));
  digit_totals = workspace.reserve<int32_t>(digits);
}

void CountingSort::run(Launcher& launch, const int32_t* input) {
  if (count == 0) return;
  const int64_t chunks = ceil_div(count, chunk_size);
  // The passes alternate between the two buffers; the last one must write to keys and order.
  const int32_t *from_keys = input, *from_order = nullptr;
  for (int pass = 0; pass < passes; ++pass) {
    const int shift = pass * digit_bits;
    const bool last_buffer = (passes - pass) % 2 == 1;
    int32_t *to_keys = last_buffer ? keys : other_keys, *to_order = last_buffer ? order : other_order;
    launch.grid(count_digits<sort_threads>, chunks, 1, sort_threads, 0, from_keys, count, shift, counts);
    if (chunks <= few_chunks) launch.grid(sum_few_counts<digits>, 1, 1, digits, 0, counts, chunks, digit_totals);
    else launch.grid(sum_counts<sort_threads>, digits, 1, sort_threads, 0, counts, chunks, digit_totals);
    launch.grid(scatter<sort_threads>, chunks, 1, sort_threads, 0, from_keys, from_order, count, shift, counts,
                digit_totals, to_keys, to_order);
    from_keys = to_keys, from_order = to_order;
  }
}

void CountingSort::bucket_offsets(Launcher& launch, int32_t* offsets, int64_t offset_count) const {
  launch.elements(find_buckets<block_threads>, offset_count, keys, count, offsets, offset_count);
}

}  // namespace upsilon
