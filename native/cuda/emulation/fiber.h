// Fibers: a stack of their own, switched by hand on one OS thread.
#pragma once

#include <cstddef>
#include <vector>

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

// Switches from the running fiber to another.  A fiber that ends is never switched to again.
struct Host {
  Fiber fiber;
  const void* stack_bottom = nullptr;  // of the OS thread, as AddressSanitizer reports it on the first switch
  size_t stack_bytes = 0;
};
void switch_fiber(Fiber& from, Fiber& to, bool from_ends, Host& host, size_t stack_bytes);

// The first thing a new fiber calls.
void entered_fiber(Host& host);

}  // namespace ups::emu
