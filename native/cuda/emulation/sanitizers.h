// What the emulator tells the sanitizers about fibers and about memory.  All of it is empty in a
// plain build. The .cc files of this folder may be compiled without the sanitizer that watches the
// kernels, and must be without ThreadSanitizer, as the emulator's own bookkeeping is not traffic
// between device threads: UPS_EMULATION_ASAN or UPS_EMULATION_TSAN then say that it is there.
#pragma once

#include <cstddef>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define UPS_EMULATION_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UPS_EMULATION_ASAN 1
#endif
#endif

#ifdef UPS_EMULATION_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef UPS_EMULATION_TSAN
extern "C" {
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void* __tsan_get_current_fiber();
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace ups::emu {

#ifdef UPS_EMULATION_ASAN
inline constexpr bool address_sanitized = true;
inline void forbid_access(const void* memory, size_t bytes) { __asan_poison_memory_region(memory, bytes); }
inline void allow_access(const void* memory, size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }
#else
inline constexpr bool address_sanitized = false;
inline void forbid_access(const void*, size_t) {}
inline void allow_access(const void*, size_t) {}
#endif

#ifdef UPS_EMULATION_TSAN
inline constexpr bool thread_sanitized = true;
// What one thread did before publish() happened before what another does after observe() of the
// same address.
inline void publish(void* address) { __tsan_release(address); }
inline void observe(void* address) { __tsan_acquire(address); }
// memset would be intercepted and count as a write of the running device thread; the barrier in the
// loop keeps the compiler from making it one.
inline void fill(unsigned char* memory, unsigned char value, size_t bytes) {
  for (size_t at = 0; at < bytes; ++at) {
    memory[at] = value;
    asm volatile("" ::: "memory");
  }
}
#else
inline constexpr bool thread_sanitized = false;
inline void publish(void*) {}
inline void observe(void*) {}
inline void fill(unsigned char* memory, unsigned char value, size_t bytes) { memset(memory, value, bytes); }
#endif

}  // namespace ups::emu
