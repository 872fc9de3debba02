// malloc and its kin for one program, counting every request and passing it on to glibc's own
// functions.
#include "count_allocations.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace {
std::atomic<int64_t> requests{0};
}

int64_t allocations_so_far() { return requests; }

#if defined(__GLIBC__)
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) noexcept {
  ++requests;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) noexcept {
  ++requests;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) noexcept {
  ++requests;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  ++requests;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, size_t alignment, size_t bytes) noexcept {
  ++requests;
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
}
bool allocations_are_counted() { return true; }
#else
bool allocations_are_counted() { return false; }
#endif
