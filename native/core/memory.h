// Host memory, and the scratch memory of a context.
#pragma once
#include <cstddef>
#include <cstdint>

namespace upsilon {

struct Plugin;

// Host memory for blocks and workspaces: 64-byte aligned, huge pages asked for where large,
// recycled (recycled.h).
void* allocate_host(size_t bytes);
void release_host(void* data, size_t bytes);
void free_host(void* data);  // back to the system

// Scratch memory that only grows, so that a steady loop allocates nothing.
class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  // Null when memory is exhausted. `plugin` null means host memory.
  void* reserve(size_t bytes, const Plugin* plugin, int32_t device_id);
  void release(const Plugin* plugin, int32_t device_id);

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace upsilon
