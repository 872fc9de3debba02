// cp.async at its worst: unless told otherwise a copy lands at the wait and its destination is
// garbage until then. The accesses are written here, in the kernel's own translation unit, so that
// sanitizers see them as the kernel's.
#pragma once

#include "executor.h"

namespace ups {

namespace emu {

// Word by word, with a compiler barrier after each, so that no loop becomes a memset or memcpy:
// ThreadSanitizer does not see those where the compiler expands them.
inline void store_word(unsigned char* to, uint32_t word) {
  memcpy(to, &word, sizeof word);
  asm volatile("" ::: "memory");
}

inline void land(const AsyncCopy& copy) {
  auto* to = static_cast<unsigned char*>(copy.shared);
  const auto* from = static_cast<const unsigned char*>(copy.global);
  for (unsigned at = 0; at < copy.bytes; at += 4) {
    uint32_t word = 0;
    if (at < copy.wanted_bytes) memcpy(&word, from + at, sizeof word);
    store_word(to + at, word);
  }
}

inline void fill_with_garbage(const AsyncCopy& copy) {
  for (unsigned at = 0; at < copy.bytes; at += 4) store_word(static_cast<unsigned char*>(copy.shared) + at, ~0u);
}

}  // namespace emu

template <int Bytes>
void cp_async(void* shared, const void* global, bool wanted = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  const emu::AsyncCopy copy{shared, global, Bytes, wanted ? Bytes : 0u, 0};
  if (emu::issue_copy(copy)) emu::fill_with_garbage(copy);
  else emu::land(copy);
}
inline void cp_async_commit() { emu::commit_copies(); }
template <int Pending>
void cp_async_wait() {
  emu::AsyncCopy copy;
  while (emu::next_landing(Pending, copy)) emu::land(copy);
}

}  // namespace ups
