// Fibers: a stack of their own, switched by hand on one OS thread.
#pragma once

#include <cstddef>
#include <vector>

#include "sanitizers.h"

namespace ups::emu {

struct Fiber {
  void* context = nullptr;  // saved stack pointer (or ucontext) while the fiber does not run
  void* stack = nullptr;    // lowest usable address; null for the OS thread's own stack
  void* fake_stack = nullptr;     // AddressSanitizer's
  void* tsan_identity = nullptr;  // ThreadSanitizer's
};

// Recycled stacks, each with a guard page below.
class StackPool {
 public:
  // Null when the system has no more memory for stacks.
  void* take();
  void give(void* stack);
  // Back to the system and not to the pool.
  void discard(void* stack);
  size_t stack_bytes() const { return stack_bytes_; }
  // Stacks of another size are given back to the system.
  void set_stack_bytes(size_t bytes);

 private:
  std::vector<void*> free_;
  size_t stack_bytes_ = 0;
};

// Makes the fiber, which has a stack, start in entry() when it is switched to; entry never returns.
void prepare(Fiber& fiber, size_t stack_bytes, void (*entry)());

// The OS thread that runs a launch.
struct Host {
  Fiber fiber;
  const void* stack_bottom = nullptr;  // as AddressSanitizer reports it on the first switch
  size_t stack_bytes = 0;
};

extern "C" void ups_emulation_switch(void** save, void* target);

inline void finish_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] Host& host) {
#ifdef UPS_EMULATION_ASAN
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &bottom, &bytes);
  if (host.stack_bottom == nullptr) {  // the first switch of a launch comes from the OS thread
    host.stack_bottom = bottom;
    host.stack_bytes = bytes;
  }
#endif
}

// Switches from the running fiber to another; one that ends is never switched to again.  Inline,
// because after a switch every return to a caller is one that the processor predicts wrong.
inline void switch_fiber(Fiber& from, Fiber& to, [[maybe_unused]] bool from_ends, Host& host,
                         [[maybe_unused]] size_t stack_bytes) {
#ifdef UPS_EMULATION_ASAN
  // A fiber that ends passes null, so that its fake stack is freed.
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.fake_stack,
                                 to.stack != nullptr ? to.stack : host.stack_bottom,
                                 to.stack != nullptr ? stack_bytes : host.stack_bytes);
#endif
#ifdef UPS_EMULATION_TSAN
  constexpr unsigned without_ordering = 1;
  __tsan_switch_to_fiber(to.tsan_identity, without_ordering);
#endif
  ups_emulation_switch(&from.context, to.context);
  finish_switch(from.fake_stack, host);
}

// The first thing a new fiber calls.
inline void entered_fiber(Host& host) { finish_switch(nullptr, host); }

}  // namespace ups::emu
