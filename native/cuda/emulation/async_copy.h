// cp.async at its worst: unless told otherwise a copy lands at the wait and its destination is garbage until then.
// The accesses are written here, in the kernel's own translation unit, so that sanitizers see them as the kernel's.
#pragma once

#include "executor.h"

namespace ups {

namespace emu {

inline void land(const AsyncCopy& copy) {
  auto* to = static_cast<unsigned char*>(copy.shared);
  const auto* from = static_cast<const unsigned char*>(copy.global);
  for (unsigned at = 0; at < copy.bytes; at += 4) {
    uint32_t word = 0;
    if (at < copy.wanted_bytes) memcpy(&word, from + at, sizeof word);
    memcpy(to + at, &word, sizeof word);
  }
}

}  // namespace emu

template <int Bytes>
void cp_async(void* shared, const void* global, bool wanted = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  const emu::AsyncCopy copy{shared, global, Bytes, wanted ? Bytes : 0u, 0};
  if (emu::issue_copy(copy)) memset(shared, 0xff, Bytes);
  else emu::land(copy);
}
inline void cp_async_commit() { emu::commit_copies(); }
template <int Pending>
void cp_async_wait() {
  emu::AsyncCopy copy;
  while (emu::next_landing(Pending, copy)) emu::land(copy);
}

}  // namespace ups
