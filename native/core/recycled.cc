#include "recycled.h"

#include <atomic>
#include <bit>
#include <cstdint>

#include "context.h"
#include "counters.h"

namespace upsilon {
namespace {

// Below, the C library's own lists are as good. Above, an eighth of all that may wait would be one
// block.
constexpr size_t smallest = size_t{64} << 10, largest = size_t{128} << 20;
constexpr int64_t max_bytes = int64_t{256} << 20;
constexpr unsigned slots = 32;

// Under AddressSanitizer nothing is kept, so that it sees who uses freed memory.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool recycling = false;
#else
constexpr bool recycling = true;
#endif

// A slot is one word: the address, whose last 12 bits are 0, and in them the size as eighths of a
// power of two. A lock could be held by a thread that does not exist after a fork; a word that is
// exchanged cannot.
constexpr uintptr_t size_bits = 0xfff;
std::atomic<uintptr_t> waiting[slots];
std::atomic<unsigned> oldest{0};

unsigned step_exponent(size_t bytes) { return static_cast<unsigned>(std::bit_width(bytes - 1)) - 4; }

uintptr_t code_of(size_t size) {
  const unsigned exponent = step_exponent(size);
  return uintptr_t{exponent} << 5 | static_cast<uintptr_t>(size >> exponent);
}
size_t size_of(uintptr_t word) {
  const uintptr_t code = word & size_bits;
  return static_cast<size_t>(code & 31) << (code >> 5);
}
void* address_of(uintptr_t word) { return reinterpret_cast<void*>(word & ~size_bits); }

bool recyclable(size_t size) { return recycling && size >= smallest && size <= largest; }

void count(int64_t bytes) { counters().recycled_bytes.fetch_add(bytes, std::memory_order_relaxed); }

void release(uintptr_t word) {
  if (!word) return;
  count(-static_cast<int64_t>(size_of(word)));
  free_host(address_of(word));
}

}  // namespace

size_t recyclable_size(size_t bytes) {
  if (!recyclable(bytes)) return bytes;
  const size_t step = size_t{1} << step_exponent(bytes);
  return (bytes + step - 1) / step * step;
}

void* take_recycled(size_t size) {
  if (!recyclable(size)) return nullptr;
  for (auto& slot : waiting) {
    uintptr_t word = slot.load(std::memory_order_relaxed);
    if (!word || size_of(word) != size || !slot.compare_exchange_strong(word, 0, std::memory_order_acquire)) continue;
    count(-static_cast<int64_t>(size));
    return address_of(word);
  }
  return nullptr;
}

bool keep_recycled(void* data, size_t size) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  if (!recyclable(size) || (address & size_bits)) return false;
  const uintptr_t word = address | code_of(size);
  count(static_cast<int64_t>(size));
  // The memory that has waited longest is dropped, when slots or the sum of all sizes run out.
  release(waiting[oldest.fetch_add(1, std::memory_order_relaxed) % slots].exchange(word, std::memory_order_acq_rel));
  for (unsigned i = 0; i < slots && counters().recycled_bytes.load(std::memory_order_relaxed) > max_bytes; ++i)
    release(waiting[(oldest.load(std::memory_order_relaxed) + i) % slots].exchange(0, std::memory_order_acquire));
  return true;
}

void forget_recycled() {
  for (auto& slot : waiting) release(slot.exchange(0, std::memory_order_acquire));
}

}  // namespace upsilon
