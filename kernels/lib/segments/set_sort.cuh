// A stable sort of numbers inside sets, on the device: by key, then, stably, by set.
#pragma once
#include "lib/segments/counting_sort.h"

namespace upsilon {

// The last entry of ascending `starts` that is not above `wanted`.
UPS_ON_DEVICE int64_t last_not_above(const int32_t* starts, int64_t count, int64_t wanted) {
  int64_t low = 0, high = count;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (starts[middle] <= wanted) low = middle;
    else high = middle;
  }
  return low;
}

// Bits that compare as the numbers do once they are taken as unsigned; 0 and -0 are equal.
UPS_ON_DEVICE int32_t key_of(float number) {
  const uint32_t bits = ups::bits_of(number + 0.0f);
  return static_cast<int32_t>(bits & 0x80000000u ? ~bits : bits | 0x80000000u);
}
UPS_ON_DEVICE int32_t key_of(int32_t number) {
  return static_cast<int32_t>(static_cast<uint32_t>(number) ^ 0x80000000u);
}

template <class T>
struct NumberKeys {
  const T* numbers;
  bool descending;
  UPS_ON_DEVICE int32_t operator()(int64_t i) const {
    const int32_t key = key_of(numbers[i]);
    return descending ? ~key : key;
  }
};

namespace {

// Where the numbers are: at `through`, or one after the other.
template <int threads, class Keys>
UPS_KERNEL_LB(threads)
make_keys(const int32_t* fault, Keys key, const int32_t* through, int64_t count, int32_t* keys) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) keys[i] = key(through ? through[i] : i);
}

// The set of each sorted element, `sets` for those in none. `from_places`: elements are numbered by
// place.
template <int threads>
UPS_KERNEL_LB(threads)
find_sets(const int32_t* fault, const int32_t* offsets, int64_t sets, const int32_t* order, bool from_places,
          int64_t count, int32_t* set_of) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int64_t at = order[i] + (from_places && sets > 0 ? offsets[0] : 0);
    const bool inside = sets > 0 && at >= offsets[0] && at < offsets[sets];
    set_of[i] = static_cast<int32_t>(inside ? last_not_above(offsets, sets, at) : sets);
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
compose(const int32_t* fault, const int32_t* first, const int32_t* second, int64_t count, int32_t* both) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < count; i += global_threads()) both[i] = first[second[i]];
}

}  // namespace

// Sets are laid one after the other by their numbers: set s begins at place offsets[s] -
// offsets[0], and elements that are in no set come behind the last.
struct SetSort {
  int64_t count, set_count;
  CountingSort values, sets;
  int32_t *keys, *set_of;

  SetSort(WorkspaceLayout& workspace, int64_t count_, int64_t set_count_)
      : count(count_), set_count(set_count_), values(workspace, count, int64_t{1} << 32),
        sets(workspace, count, set_count + 1), keys(workspace.reserve<int32_t>(count)),
        set_of(workspace.reserve<int32_t>(count)) {}

  // order[place] is the element that stands there. `through`: elements are places already, whose
  // numbers are there.
  template <class Keys>
  void run(Launcher& launch, const Keys& key, const int32_t* through, const int32_t* offsets, int32_t* order) {
    launch.elements(make_keys<block_threads, Keys>, count, key, through, count, keys);
    values.run(launch, keys);
    launch.elements(find_sets<block_threads>, count, offsets, set_count, values.order, through != nullptr, count,
                    set_of);
    sets.run(launch, set_of);
    launch.elements(compose<block_threads>, count, values.order, sets.order, count, order);
  }
};

}  // namespace upsilon
