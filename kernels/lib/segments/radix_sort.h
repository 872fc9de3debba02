// A stable sort of numbers, which gives their order: least significant digit first, 11 bits a pass. What it computes does
// not depend on how the elements are cut into chunks, so threads may share the work.
#pragma once
#include <bit>
#include <type_traits>
#include <utility>

#include "lib/kernel.h"

namespace upsilon {

// Work on the caller's thread, in place of Threads, for what is one task among many already.
struct OneThread {
  template <class Task>
  void run(int64_t tasks, Task&& task) const {
    for (int64_t index = 0; index < tasks; ++index) task(index, 0);
  }
};

// Bits that compare as the numbers do; 0 and -0 are equal. NaNs come first or last, by their sign.
template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
template <class T>
KeyOf<T> key_of(T number) {
  using Key = KeyOf<T>;
  const Key bits = std::bit_cast<Key>(number + T(0)), sign = Key(1) << (8 * sizeof(T) - 1);
  return bits & sign ? ~bits : bits | sign;
}
template <class T>
T number_of(KeyOf<T> key) {
  using Key = KeyOf<T>;
  const Key sign = Key(1) << (8 * sizeof(T) - 1);
  return std::bit_cast<T>(key & sign ? key ^ sign : ~key);
}

template <class Key>
struct Keyed {
  Key key;
  uint32_t index;
};

inline constexpr int sort_digit_bits = 11;
inline constexpr int64_t sort_digits = 1 << sort_digit_bits, sort_chunk = int64_t{1} << 17;

inline int64_t sort_counts(int64_t count) { return ceil_div(count, sort_chunk) * sort_digits; }

// Sorts `from` by key, with `other` as scratch of the same size; returns which of the two holds the result.
// `counts`: sort_counts(count) numbers.
template <class Runner, class Key>
Keyed<Key>* radix_sort(Runner& runner, Keyed<Key>* from, Keyed<Key>* other, int64_t count, uint32_t* counts) {
  if (count <= 48) {
    for (int64_t i = 1; i < count; ++i) {
      const Keyed<Key> element = from[i];
      int64_t at = i;
      for (; at > 0 && from[at - 1].key > element.key; --at) from[at] = from[at - 1];
      from[at] = element;
    }
    return from;
  }
  const int64_t chunks = ceil_div(count, sort_chunk);
  for (int shift = 0; shift < static_cast<int>(8 * sizeof(Key)); shift += sort_digit_bits) {
    const auto digit = [shift](Key key) { return static_cast<uint32_t>(key >> shift) & (sort_digits - 1); };
    runner.run(chunks, [&](int64_t chunk, int32_t) {
      uint32_t* const mine = counts + chunk * sort_digits;
      std::fill_n(mine, sort_digits, 0u);
      const int64_t end = std::min(count, (chunk + 1) * sort_chunk);
      for (int64_t i = chunk * sort_chunk; i < end; ++i) ++mine[digit(from[i].key)];
    });
    uint32_t below = 0;
    bool one_digit = false;
    for (int64_t d = 0; d < sort_digits; ++d) {
      const uint32_t before = below;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) below += std::exchange(counts[chunk * sort_digits + d], below);
      one_digit |= below - before == count;
    }
    if (one_digit) continue;
    runner.run(chunks, [&](int64_t chunk, int32_t) {
      uint32_t* const place = counts + chunk * sort_digits;
      const int64_t end = std::min(count, (chunk + 1) * sort_chunk);
      for (int64_t i = chunk * sort_chunk; i < end; ++i) other[place[digit(from[i].key)]++] = from[i];
    });
    std::swap(from, other);
  }
  return from;
}

}  // namespace upsilon
