#include "lib/segments/radix_sort.h"

#include <utility>

namespace upsilon {

template <class Key>
Keyed<Key>* radix_sort(Threads& threads, Keyed<Key>* from, Keyed<Key>* other, int64_t count, uint32_t* counts) {
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
    threads.run(chunks, [&](int64_t chunk, int32_t) {
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
    threads.run(chunks, [&](int64_t chunk, int32_t) {
      uint32_t* const place = counts + chunk * sort_digits;
      const int64_t end = std::min(count, (chunk + 1) * sort_chunk);
      for (int64_t i = chunk * sort_chunk; i < end; ++i) other[place[digit(from[i].key)]++] = from[i];
    });
    std::swap(from, other);
  }
  return from;
}

template Keyed<uint32_t>* radix_sort(Threads&, Keyed<uint32_t>*, Keyed<uint32_t>*, int64_t, uint32_t*);
template Keyed<uint64_t>* radix_sort(Threads&, Keyed<uint64_t>*, Keyed<uint64_t>*, int64_t, uint32_t*);

}  // namespace upsilon
