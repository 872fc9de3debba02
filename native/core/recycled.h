// Large host memory that was released waits here for the next allocation of its size. Fresh memory
// costs 0.1 ms per MB in page faults even in huge pages, 0.5 to 1 in small ones, which is many
// times what a kernel takes to fill it.
#pragma once
#include <cstddef>

namespace upsilon {

// `bytes`, or what is handed out for it: sizes come in steps of at most an eighth, so that batches
// that vary a little find each other's memory.
size_t recyclable_size(size_t bytes);

// Memory of exactly this recyclable_size, or null. On any thread, as the other functions.
void* take_recycled(size_t size);
// Whether the memory was kept; otherwise it is still the caller's.
bool keep_recycled(void* data, size_t size);
// Gives everything that waits back to the system.
void forget_recycled();

}  // namespace upsilon
