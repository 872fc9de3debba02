#include "memory.h"

#include <algorithm>
#include <cstdlib>

#include "plugin.h"
#include "recycled.h"

#if defined(_WIN32)
#include <malloc.h>
#else
#include <sys/mman.h>
#endif

namespace upsilon {
namespace {

constexpr size_t huge_page = size_t{2} << 20, small_page = 4096;

}  // namespace

void* allocate_host(size_t bytes) {
  const size_t size = recyclable_size(bytes);
  if (void* recycled = take_recycled(size)) return recycled;
  const size_t alignment = size >= huge_page ? huge_page : size >= small_page ? small_page : 64;
  const size_t rounded = (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment;
  if (rounded < bytes) return nullptr;
#if defined(_WIN32)
  return _aligned_malloc(rounded, alignment);
#else
  void* data = std::aligned_alloc(alignment, rounded);
#if defined(MADV_HUGEPAGE)
  // First touches of fresh 4 KiB pages cost about 0.45 ms per MB; of 2 MiB pages a fraction of
  // that.
  if (data && size >= huge_page) madvise(data, rounded, MADV_HUGEPAGE);
#endif
  return data;
#endif
}

void release_host(void* data, size_t bytes) {
  if (data && !keep_recycled(data, recyclable_size(bytes))) free_host(data);
}

void free_host(void* data) {
#if defined(_WIN32)
  _aligned_free(data);
#else
  std::free(data);
#endif
}

void* Workspace::reserve(size_t bytes, const Plugin* plugin, int32_t device_id) {
  if (bytes <= size_) return data_;
  const size_t wanted = bytes + bytes / 4 + 4096;  // growing in steps, so that slowly growing batches settle
  void* fresh = nullptr;
  if (plugin) {
    if (plugin->allocate(device_id, wanted, &fresh) != UPS_OK) return nullptr;
  } else {
    fresh = allocate_host(wanted);
    if (!fresh) return nullptr;
  }
  release(plugin, device_id);
  data_ = fresh;
  size_ = wanted;
  return data_;
}

void Workspace::release(const Plugin* plugin, int32_t device_id) {
  if (data_) plugin ? plugin->release(device_id, data_) : release_host(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace upsilon
