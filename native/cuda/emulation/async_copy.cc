#include "machine.h"

namespace ups::emu {

namespace {

bool inside_shared_memory(const Machine& m, const void* pointer, unsigned bytes) {
  const auto* at = static_cast<const unsigned char*>(pointer);
  for (const SharedObject& object : m.objects)
    if (at >= object.memory && at + bytes <= object.memory + object.bytes) return true;
  return false;
}

}  // namespace

bool issue_copy(AsyncCopy copy) {
  Machine& m = machine();
  Lane& me = running_lane();
  if (reinterpret_cast<uintptr_t>(copy.shared) % copy.bytes != 0)
    fail("cp.async: the destination %p is not aligned to %u bytes", copy.shared, copy.bytes);
  if (copy.wanted_bytes != 0 && reinterpret_cast<uintptr_t>(copy.global) % copy.bytes != 0)
    fail("cp.async: the source %p is not aligned to %u bytes", copy.global, copy.bytes);
  if (!inside_shared_memory(m, copy.shared, copy.bytes))
    fail("cp.async: the destination %p is outside every object in shared memory", copy.shared);
  if (!m.settings.late_copies) return false;
  // A copy may also land at once: with random schedules both happen.
  if (m.settings.order == Order::random && m.random.below(2) == 0) return false;
  copy.group = me.copy_group;
  me.copies.push_back(copy);
  return true;
}

void commit_copies() { ++running_lane().copy_group; }

bool next_landing(unsigned pending, AsyncCopy& copy) {
  Lane& me = running_lane();
  // Copies are in the order of their groups; group g is complete when `pending` groups after it may
  // be under way.
  if (me.copies.empty() || me.copies.front().group + pending >= me.copy_group) return false;
  copy = me.copies.front();
  me.copies.erase(me.copies.begin());
  return true;
}

}  // namespace ups::emu
