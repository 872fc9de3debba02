// Reference-counted memory: host, pinned host and device blocks, and memory-mapped files.
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>

#include "context.h"
#include "counters.h"
#include "entry.h"
#include "recycled.h"
#include "text.h"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

using namespace upsilon;

struct ups_block {
  std::atomic<int64_t> references{1};
  void* data = nullptr;
  size_t size = 0;
  ups_device device{UPS_CPU, 0};
  const Plugin* plugin = nullptr;
  bool mapped = false;
};

namespace upsilon {
Counters& counters() {
  static Counters all;
  return all;
}
}  // namespace upsilon

namespace {

ups_status allocate(ups_block& block) {
  switch (block.device.type) {
    case UPS_CPU: block.data = allocate_host(block.size); return block.data ? UPS_OK : UPS_OUT_OF_MEMORY;
    case UPS_CUDA_HOST: return block.plugin->allocate_pinned(block.size, &block.data);
    default: return block.plugin->allocate(block.device.id, block.size, &block.data);
  }
}

void free_memory(ups_block& block) {
  switch (block.device.type) {
    case UPS_CPU:
#if !defined(_WIN32)
      if (block.mapped) {
        if (block.size) munmap(block.data, block.size);
        break;
      }
#endif
      release_host(block.data, block.size);
      break;
    case UPS_CUDA_HOST: block.plugin->release_pinned(block.data); break;
    default: block.plugin->release(block.device.id, block.data);
  }
}

ups_block* counted(ups_block* block) {
  counters().blocks.fetch_add(1, std::memory_order_relaxed);
  counters().block_bytes.fetch_add(static_cast<int64_t>(block->size), std::memory_order_relaxed);
  return block;
}

}  // namespace

extern "C" {

ups_status ups_block_create(ups_context* context, ups_device where, size_t bytes, ups_block** result) noexcept {
  return enter(context, "", [&] {
    if (!result) return context->error.set(UPS_VALUE, "", "block", "block is null");
    *result = nullptr;
    auto block = std::make_unique<ups_block>();
    block->size = bytes;
    block->device = where;
    if (where.type != UPS_CPU) {
      const int32_t type = where.type == UPS_CUDA_HOST ? UPS_CUDA : where.type;
      block->plugin = plugin_for(type);
      if (!block->plugin) return context->error.set(UPS_DEVICE, "", "device", plugin_problem(type));
    }
    if (allocate(*block) != UPS_OK)
      return context->error.set(UPS_OUT_OF_MEMORY, "", "",
                                bytes_text(bytes) + " could not be allocated on " + device_text(where));
    *result = counted(block.release());
    return UPS_OK;
  });
}

ups_status ups_block_map_file(ups_context* context, const char* path, ups_block** result) noexcept {
  return enter(context, "", [&] {
    if (!result || !path) return context->error.set(UPS_VALUE, "", "path", "path is null");
    *result = nullptr;
#if defined(_WIN32)
    return context->error.set(UPS_UNSUPPORTED, "", "path", "files are not mapped on this system");
#else
    const auto refuse = [&](int reason) {
      return context->error.set(reason == ENOMEM ? UPS_OUT_OF_MEMORY : UPS_VALUE, "", "path",
                                format("%s: %s", path, reason ? std::strerror(reason) : "not a regular file"));
    };
    auto block = std::make_unique<ups_block>();
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return refuse(errno);
    struct stat status{};
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
      close(file);
      return refuse(0);
    }
    const size_t size = static_cast<size_t>(status.st_size);
    // Private and writable: a stray write through a view changes a page of ours, not the file, and
    // does not fault.
    void* data = size ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0) : nullptr;
    const int reason = errno;
    close(file);
    if (data == MAP_FAILED) return refuse(reason);
    block->data = data;
    block->size = size;
    block->mapped = true;
    *result = counted(block.release());
    return UPS_OK;
#endif
  });
}

ups_block* ups_block_retain(ups_block* block) noexcept {
  if (block) block->references.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void ups_block_release(ups_block* block) noexcept {
  if (!block || block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  counters().blocks.fetch_sub(1, std::memory_order_relaxed);
  counters().block_bytes.fetch_sub(static_cast<int64_t>(block->size), std::memory_order_relaxed);
  free_memory(*block);
  delete block;
}

void* ups_block_data(const ups_block* block) noexcept { return block ? block->data : nullptr; }
size_t ups_block_size(const ups_block* block) noexcept { return block ? block->size : 0; }
ups_device ups_block_device(const ups_block* block) noexcept { return block ? block->device : ups_device{UPS_CPU, 0}; }

ups_counters ups_count(void) noexcept {
  const Counters& c = counters();
  return {c.blocks.load(), c.block_bytes.load(), c.arrow_exports.load(), c.arrow_imports.load(),
          c.recycled_bytes.load()};
}

void ups_trim(void) noexcept { forget_recycled(); }

}  // extern "C"
