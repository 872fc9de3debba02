// Device and pinned memory.  Every device allocation lies between guard bands, which hold a pattern
// that is compared after each launch, or which AddressSanitizer watches.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "device.h"
#include "sanitizers.h"

namespace ups::emu {

namespace {

constexpr size_t alignment = 256;  // cudaMalloc's
constexpr size_t guard = 256;
constexpr unsigned char pattern = 0xa5;
constexpr unsigned char poison = 0xff;

using Ranges = std::map<uintptr_t, size_t>;  // first address -> bytes

Ranges& device_ranges() {
  static auto* const ranges = new Ranges;
  return *ranges;
}
Ranges& pinned_ranges() {
  static auto* const ranges = new Ranges;
  return *ranges;
}
constinit size_t device_bytes_in_use = 0;

unsigned char* bytes_at(uintptr_t address) { return reinterpret_cast<unsigned char*>(address); }

bool inside(const Ranges& ranges, const void* pointer, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  auto after = ranges.upper_bound(address);
  if (after == ranges.begin()) return false;
  const auto& [first, size] = *--after;
  return address - first <= size && bytes <= size - (address - first);
}

// An allocation is [guard][bytes, rounded up to the alignment][guard]; the rounding belongs to the
// second band.
size_t band_after(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment - bytes + guard; }

bool filled(const unsigned char* memory, size_t bytes) {
  for (size_t at = 0; at < bytes; ++at)
    if (memory[at] != pattern) return false;
  return true;
}

}  // namespace

bool is_device_memory(const void* pointer, size_t bytes) { return inside(device_ranges(), pointer, bytes); }
bool is_pinned_memory(const void* pointer, size_t bytes) { return inside(pinned_ranges(), pointer, bytes); }

void allow_device_memory() {
  if (!address_sanitized) return;
  for (const auto& [first, bytes] : device_ranges()) allow_access(bytes_at(first), bytes);
}

void forbid_device_memory() {
  if (!address_sanitized) return;
  for (const auto& [first, bytes] : device_ranges()) forbid_access(bytes_at(first), bytes);
}

bool device_memory_intact() {
  if (address_sanitized || thread_sanitized) return true;
  for (const auto& [first, bytes] : device_ranges()) {
    const bool before = filled(bytes_at(first) - guard, guard);
    if (before && filled(bytes_at(first) + bytes, band_after(bytes))) continue;
    char text[128];
    snprintf(text, sizeof text, "write %s a device allocation of %zu bytes", before ? "past the end of" : "before",
             bytes);
    set_message(text);
    memset(bytes_at(first) - guard, pattern, guard);
    memset(bytes_at(first) + bytes, pattern, band_after(bytes));
    return false;
  }
  return true;
}

}  // namespace ups::emu

using namespace ups::emu;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  if (pointer == nullptr) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  if (const cudaError_t fault = pending_fault()) return note(fault);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  const size_t limit = config().device_bytes;
  if (bytes > limit || device_bytes_in_use > limit - bytes) return note(cudaErrorMemoryAllocation);
  auto* memory = static_cast<unsigned char*>(aligned_alloc(alignment, guard + bytes + band_after(bytes)));
  if (memory == nullptr) return note(cudaErrorMemoryAllocation);
  unsigned char* first = memory + guard;
  memset(memory, pattern, guard);
  memset(first + bytes, pattern, band_after(bytes));
  if (config().poison) memset(first, poison, bytes);
  forbid_access(memory, guard + bytes + band_after(bytes));
  device_ranges().emplace(reinterpret_cast<uintptr_t>(first), bytes);
  device_bytes_in_use += bytes;
  *pointer = first;
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  const DeviceLock lock;
  const auto found = device_ranges().find(reinterpret_cast<uintptr_t>(pointer));
  if (found == device_ranges().end()) return note(cudaErrorInvalidValue);
  finish_device();  // as CUDA does: work under way may still use the memory
  const size_t bytes = found->second;
  auto* memory = static_cast<unsigned char*>(pointer) - guard;
  allow_access(memory, guard + bytes + band_after(bytes));
  device_ranges().erase(found);
  device_bytes_in_use -= bytes;
  free(memory);
  return note(pending_fault());
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  if (pointer == nullptr) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  if (const cudaError_t fault = pending_fault()) return note(fault);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (bytes > SIZE_MAX - alignment) return note(cudaErrorMemoryAllocation);
  void* memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) return note(cudaErrorMemoryAllocation);
  if (config().poison) memset(memory, poison, bytes);
  pinned_ranges().emplace(reinterpret_cast<uintptr_t>(memory), bytes);
  *pointer = memory;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  const DeviceLock lock;
  const auto found = pinned_ranges().find(reinterpret_cast<uintptr_t>(pointer));
  if (found == pinned_ranges().end()) return note(cudaErrorInvalidValue);
  finish_device();
  pinned_ranges().erase(found);
  free(pointer);
  return note(pending_fault());
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  if (free_bytes == nullptr || total_bytes == nullptr) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  *total_bytes = config().device_bytes;
  *free_bytes = *total_bytes > device_bytes_in_use ? *total_bytes - device_bytes_in_use : 0;
  return note(pending_fault());
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  if (attributes == nullptr) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  const bool on_device = is_device_memory(pointer, 1), pinned = is_pinned_memory(pointer, 1);
  auto* address = const_cast<void*>(pointer);
  attributes->type = on_device ? cudaMemoryTypeDevice : pinned ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
  attributes->device = on_device || pinned ? 0 : -2;  // CUDA's cudaInvalidDeviceId
  attributes->devicePointer = on_device || pinned ? address : nullptr;
  attributes->hostPointer = on_device ? nullptr : address;
  return note(pending_fault());
}

namespace {

// The kind the pointers amount to must be the kind that was asked for.
cudaError_t check_copy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = is_device_memory(to, bytes), from_device = is_device_memory(from, bytes);
  switch (kind) {
    case cudaMemcpyDefault: return cudaSuccess;
    case cudaMemcpyHostToHost: return !to_device && !from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyHostToDevice: return to_device && !from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDeviceToHost: return !to_device && from_device ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDeviceToDevice: return to_device && from_device ? cudaSuccess : cudaErrorInvalidValue;
  }
  return cudaErrorInvalidMemcpyDirection;
}

// Pageable sources are staged before the call returns, as CUDA does; pinned ones are read when the
// copy runs.
cudaError_t queue_copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (!known_stream(stream)) return cudaErrorInvalidResourceHandle;
  if (const cudaError_t fault = pending_fault()) return fault;
  if (bytes == 0) return cudaSuccess;
  if (to == nullptr || from == nullptr) return cudaErrorInvalidValue;
  if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
  const bool staged = !is_device_memory(from, bytes) && !is_pinned_memory(from, bytes);
  if (staged) {
    const auto* first = static_cast<const unsigned char*>(from);
    add_work(stream, [to, bytes, copy = std::vector<unsigned char>(first, first + bytes)] {
      memcpy(to, copy.data(), bytes);
      return cudaSuccess;
    });
  } else {
    add_work(stream, [=] {
      memmove(to, from, bytes);
      return cudaSuccess;
    });
  }
  return cudaSuccess;
}

cudaError_t queue_fill(void* to, int value, size_t bytes, cudaStream_t stream) {
  if (!known_stream(stream)) return cudaErrorInvalidResourceHandle;
  if (const cudaError_t fault = pending_fault()) return fault;
  if (bytes == 0) return cudaSuccess;
  if (!is_device_memory(to, bytes) && !is_pinned_memory(to, bytes)) return cudaErrorInvalidValue;
  add_work(stream, [=] {
    memset(to, value, bytes);
    return cudaSuccess;
  });
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const DeviceLock lock;
  return note(queue_copy(to, from, bytes, kind, stream));
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const DeviceLock lock;
  if (const cudaError_t error = queue_copy(to, from, bytes, kind, nullptr)) return note(error);
  finish_stream(nullptr);
  return note(pending_fault());
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const DeviceLock lock;
  return note(queue_fill(to, value, bytes, stream));
}

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  const DeviceLock lock;
  if (const cudaError_t error = queue_fill(to, value, bytes, nullptr)) return note(error);
  return note(pending_fault());
}
