// The emulated multiprocessor: the threads of one block, who of them can run, and where the others
// wait.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "../ups_cuda.h"
#include "fiber.h"
#include "sanitizers.h"

// The emulator's own code names these things itself.
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

namespace ups::emu {

inline constexpr unsigned warp_lanes = 32;
inline constexpr unsigned max_threads = 1024;
inline constexpr unsigned max_warps = max_threads / warp_lanes;

// splitmix64 (Steele, Lea, Flood 2014).
struct Random {
  uint64_t state = 1;
  uint64_t next() {
    uint64_t mixed = state += 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return mixed ^ (mixed >> 31);
  }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>((next() >> 32) * limit >> 32); }
};

enum class State : uint8_t { fresh, ready, at_barrier, at_warp, done };

struct Lane : Thread {
  State state = State::fresh;
  unsigned number = 0;  // in the block
  unsigned warp = 0;
  Fiber fiber;
  // where it waits, and what it brought there
  Site site;
  const char* operation = "";
  uint32_t mask = 0;
  void* exchange = nullptr;
  // cp.async
  std::vector<AsyncCopy> copies;
  unsigned copy_group = 0;
};

// The threads that can run.  A thread is in it once at most, so a ring of the largest block's size
// is enough.
class ReadyQueue {
 public:
  unsigned size() const { return count_; }
  void clear() { first_ = count_ = 0; }
  void push_back(unsigned thread) { at(count_++) = static_cast<uint16_t>(thread); }
  void push_front(unsigned thread) {
    --first_;
    ++count_;
    at(0) = static_cast<uint16_t>(thread);
  }
  unsigned pop_front() {
    const unsigned thread = at(0);
    ++first_;
    --count_;
    return thread;
  }
  unsigned pop_back() { return at(--count_); }
  unsigned pop_any(unsigned place) {
    const unsigned thread = at(place);
    at(place) = at(count_ - 1);
    --count_;
    return thread;
  }

 private:
  uint16_t& at(unsigned place) { return ring_[(first_ + place) % max_threads]; }
  std::array<uint16_t, max_threads> ring_{};
  unsigned first_ = 0;
  unsigned count_ = 0;
};

// Lanes of a warp on their way to meet in one operation.
struct Meeting {
  uint32_t mask = 0;
  uint32_t arrived = 0;
  unsigned phase = 0;
  const char* operation = "";
  Site site;
};

struct SharedObject {
  const void* key;
  const char* name;
  unsigned char* memory;
  size_t bytes;
};

struct Machine {
  Config settings;  // as they were when the launch began
  Body body = nullptr;
  const void* launch = nullptr;

  // ThreadSanitizer tells threads of different blocks apart only if they have different identities.
  static constexpr unsigned identity_sets = thread_sanitized ? 4 : 1;
  std::array<std::unique_ptr<Lane[]>, identity_sets> lane_sets;
  Lane* lanes = nullptr;
  unsigned threads = 0;
  unsigned alive = 0;
  ReadyQueue ready;
  Host host;
  StackPool stacks;
  Random random;
  uint64_t fruitless_yields = 0;
  unsigned atomics_since_yield = 0;
  uint64_t switches = 0;
  std::string error;

  // the barrier of the block
  unsigned at_barrier = 0;
  unsigned barrier_predicates = 0;
  unsigned barrier_result = 0;
  unsigned barrier_phase = 0;
  Site barrier_site;

  std::array<uint32_t, max_warps> returned{};  // the lanes of each warp that have returned
  // Meetings of a warp, by the lowest lane of their mask.
  std::array<std::array<Meeting, warp_lanes>, max_warps> meetings;

  // shared memory
  unsigned char* arena = nullptr;
  size_t arena_used = 0;
  size_t static_bytes = 0;
  std::vector<SharedObject> objects;
  void* dynamic = nullptr;
  size_t dynamic_bytes = 0;

  // addresses for publish() and observe(), fresh for every block so that no order leaks from one to
  // the next
  char* order = nullptr;
  char order_of_start = 0;
  char order_of_end = 0;
};

// One for the process, made by the first launch; whoever runs a grid holds the device lock.
[[gnu::visibility("hidden")]] extern constinit Machine* the_machine;
inline Machine& machine() { return *the_machine; }

inline Lane& running_lane() { return *static_cast<Lane*>(current_thread); }

// grid.cc
void record_site(const Site& site);

// scheduler.cc
void make_ready(Lane& lane);
void wait_for_others();       // gives up the processor; the caller has noted why
bool run_block(Machine& m);   // false: m.error says why not

// barrier.cc
void release_barrier(Machine& m);
bool skipped(const Machine& m, const Site& site);

// shared_memory.cc
bool begin_shared_memory(Machine& m, size_t dynamic_bytes);
void end_shared_memory(Machine& m);
const SharedObject* overrun_object(const Machine& m);

// addresses inside Machine::order
inline constexpr size_t order_bytes = 4096;
inline char* barrier_order(Machine& m) { return m.order + (m.barrier_phase & 1u); }
inline char* meeting_order(Machine& m, const Lane& lane, unsigned lowest, unsigned phase) {
  return m.order + 16 + (lane.warp * warp_lanes + lowest) * 2 + (phase & 1u);
}

const char* file_of(const Site& site);  // without folders
inline unsigned line_of(const Site& site) { return static_cast<unsigned>(site.line()); }
bool same_place(const Site& a, const Site& b);

inline unsigned lowest_lane(uint32_t mask) { return static_cast<unsigned>(__builtin_ctz(mask)); }

template <class Action>
void for_each_lane(uint32_t mask, Action action) {
  for (; mask != 0; mask &= mask - 1) action(lowest_lane(mask));
}

}  // namespace ups::emu
