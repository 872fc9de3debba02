// A stable sort of numbers, which gives their order: least significant digit first, 11 bits a pass.
// What it computes does not depend on how the elements are cut into chunks, so threads may share
// the work.
#pragma once
#include <bit>
#include <type_traits>

#include "lib/kernel.h"

namespace upsilon {

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

// Sorts `from` by key, with `other` as scratch of the same size; returns which of the two holds the
// result. Compiled for the keys of both sizes in lib/segments/radix_sort.cc, and once, as it has
// nothing for the lanes of an instruction set. `counts`: sort_counts(count) numbers.
template <class Key>
Keyed<Key>* radix_sort(Threads& threads, Keyed<Key>* from, Keyed<Key>* other, int64_t count, uint32_t* counts);

}  // namespace upsilon
