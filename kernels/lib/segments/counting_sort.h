// A stable sort of small integer keys on the device: radix sort, 8 bits a pass, whose ranks are
// counted and never raced for. Compiled in counting_sort.cu.
#pragma once
#include "lib/cuda/cuda.h"

namespace upsilon {

// Scratch memory and result of sorting `count` keys, 0 <= key < buckets.
struct CountingSort {
  int64_t count, buckets;
  int passes;
  int32_t *keys, *order;  // the result: sorted keys, and which element stands at each place
  int32_t *other_keys, *other_order, *counts, *digit_totals;

  CountingSort(WorkspaceLayout& workspace, int64_t count, int64_t buckets);
  // Fills keys and order; of two elements with equal keys the earlier one comes first. `input` is
  // left alone.
  void run(Launcher& launch, const int32_t* input);
  // offsets[b] = the number of keys below b, for 0 <= b < offset_count.
  void bucket_offsets(Launcher& launch, int32_t* offsets, int64_t offset_count) const;
};

// The first place p of sorted[0..count) with sorted[p] >= wanted.
UPS_ON_DEVICE int64_t lower_bound(const int32_t* sorted, int64_t count, int64_t wanted) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

}  // namespace upsilon
