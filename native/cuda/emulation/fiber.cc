#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__) && defined(__linux__) && !defined(UPS_EMULATION_UCONTEXT)
#define UPS_EMULATION_ASM_SWITCH 1
#else
#include <ucontext.h>

#include <new>
#endif

namespace ups::emu {

namespace {

// One page, so that the stacks are an odd number of pages apart: with a power of two their tops
// would share a few sets of the caches and of the TLB.
size_t guard_bytes() {
  static const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return page;
}

}  // namespace

void* StackPool::take() {
  if (!free_.empty()) {
    void* stack = free_.back();
    free_.pop_back();
    allow_access(stack, stack_bytes_);  // the marks of frames that were left, not returned from
    return stack;
  }
  void* memory = mmap(nullptr, guard_bytes() + stack_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (mprotect(memory, guard_bytes(), PROT_NONE) != 0) {
    munmap(memory, guard_bytes() + stack_bytes_);
    return nullptr;
  }
  return static_cast<char*>(memory) + guard_bytes();
}

void StackPool::give(void* stack) { free_.push_back(stack); }

void StackPool::discard(void* stack) {
  allow_access(stack, stack_bytes_);  // whatever is mapped there next
  munmap(static_cast<char*>(stack) - guard_bytes(), guard_bytes() + stack_bytes_);
}

void StackPool::set_stack_bytes(size_t bytes) {
  bytes = (bytes + guard_bytes() - 1) / guard_bytes() * guard_bytes();
  if (bytes == stack_bytes_) return;
  if (thread_sanitized && stack_bytes_ != 0) return;  // the identities keep the stacks they have
  for (void* stack : free_) discard(stack);
  free_.clear();
  stack_bytes_ = bytes;
}

#ifdef UPS_EMULATION_ASM_SWITCH

// Saves what the System V ABI lets a function keep and changes the stack; kernels leave the
// floating-point control words alone.  `ret` and not `pop; jmp`: the return predictor makes
// sync-heavy kernels markedly faster.
asm(R"(
.text
.p2align 4
.globl ups_emulation_switch
.hidden ups_emulation_switch
.type ups_emulation_switch,@function
ups_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ups_emulation_switch,.-ups_emulation_switch
)");
void prepare(Fiber& fiber, size_t stack_bytes, void (*entry)()) {
  // For the same reason every stack begins at an offset of its own.
  const auto base = reinterpret_cast<uintptr_t>(fiber.stack);
  const uintptr_t color = (base >> 12) * 0x9e3779b97f4a7c15ull >> 58;
  auto* top = reinterpret_cast<void**>((base + stack_bytes - color * 64) & ~uintptr_t{15});
  *--top = nullptr;                           // entry's return address; it also gives the alignment of a call
  *--top = reinterpret_cast<void*>(entry);    // taken by ret
  for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = nullptr;
  fiber.context = top;
}

#else

extern "C" void ups_emulation_switch(void** save, void* target) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(target));
}

void prepare(Fiber& fiber, size_t stack_bytes, void (*entry)()) {
  constexpr size_t context_bytes = (sizeof(ucontext_t) + 63) / 64 * 64;
  auto* context = new (fiber.stack) ucontext_t;  // at the low end, which the stack reaches last
  getcontext(context);
  context->uc_stack.ss_sp = static_cast<char*>(fiber.stack) + context_bytes;
  context->uc_stack.ss_size = stack_bytes - context_bytes;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  fiber.context = context;
}

#endif

}  // namespace ups::emu
