// Shared memory: one arena, every object between red zones.  AddressSanitizer guards the zones at
// each access; without it they hold a pattern that is compared at the end of the block.
#include <sys/mman.h>

#include "machine.h"

namespace ups::emu {

namespace {

constexpr size_t arena_bytes = 1 << 20;
constexpr size_t red_zone = 128;
constexpr unsigned char pattern = 0xa5;
constexpr unsigned char poison = 0xff;

unsigned char* carve(Machine& m, size_t bytes, size_t alignment) {
  if (alignment < 16) alignment = 16;
  const size_t zone = m.arena_used;
  const size_t start = (zone + red_zone + alignment - 1) & ~(alignment - 1);
  if (start + bytes + red_zone > arena_bytes) return nullptr;
  unsigned char* memory = m.arena + start;
  if (address_sanitized) {
    forbid_access(m.arena + zone, start - zone);
    allow_access(memory, bytes);
    forbid_access(memory + bytes, red_zone);
  } else if (!thread_sanitized) {
    fill(m.arena + zone, pattern, start - zone);
    fill(memory + bytes, pattern, red_zone);
  }
  if (m.settings.poison) fill(memory, poison, bytes);
  m.arena_used = start + bytes;
  return memory;
}

bool intact(const unsigned char* begin, const unsigned char* end) {
  for (; begin < end; ++begin)
    if (*begin != pattern) return false;
  return true;
}

}  // namespace

bool begin_shared_memory(Machine& m, size_t dynamic_bytes) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  if (m.arena == nullptr || thread_sanitized) {
    // Under ThreadSanitizer every block gets a fresh mapping: its shadow forgets the accesses of
    // the block before.
    void* memory =
        mmap(m.arena, arena_bytes, PROT_READ | PROT_WRITE, flags | (m.arena != nullptr ? MAP_FIXED : 0), -1, 0);
    if (memory == MAP_FAILED) {
      m.error = "no memory for shared memory";
      return false;
    }
    m.arena = static_cast<unsigned char*>(memory);
  }
  m.objects.clear();
  m.arena_used = m.static_bytes = 0;
  m.dynamic_bytes = dynamic_bytes;
  m.objects.push_back({&m.dynamic, "dynamic shared memory", carve(m, dynamic_bytes, 128), dynamic_bytes});
  m.dynamic = m.objects.back().memory;
  return true;
}

void end_shared_memory(Machine& m) { allow_access(m.arena, arena_bytes); }

const SharedObject* overrun_object(const Machine& m) {
  if (address_sanitized || thread_sanitized) return nullptr;
  const unsigned char* zone = m.arena;
  const SharedObject* before = nullptr;
  for (const SharedObject& object : m.objects) {
    if (!intact(zone, object.memory)) {
      // A zone lies between two objects; the write is more likely past the end of the first.
      const bool past_end = before != nullptr && !intact(zone, zone + 16);
      return past_end ? before : &object;
    }
    zone = object.memory + object.bytes;
    before = &object;
  }
  return before != nullptr && !intact(zone, zone + red_zone) ? before : nullptr;
}

void* shared_object(const void* key, size_t bytes, size_t alignment, const char* name) {
  Machine& m = machine();
  for (const SharedObject& object : m.objects)
    if (object.key == key) return object.memory;
  m.static_bytes += bytes;
  if (m.static_bytes > m.settings.static_shared_bytes)
    fail("static shared memory exceeds %zu bytes with %s", m.settings.static_shared_bytes, name);
  if (m.static_bytes + m.dynamic_bytes > m.settings.shared_bytes)
    fail("shared memory exceeds %zu bytes with %s", m.settings.shared_bytes, name);
  unsigned char* memory = carve(m, bytes, alignment);
  if (memory == nullptr) fail("the arena of shared memory has no room for %s", name);
  m.objects.push_back({key, name, memory, bytes});
  return memory;
}

void* shared_dynamic() { return machine().dynamic; }

}  // namespace ups::emu
