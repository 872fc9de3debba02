// The state of the emulated device that the runtime functions share, behind one lock.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "../ups_cuda.h"

namespace ups::emu {

// Held while anything of the device is looked at and while its work runs: device work is serial.
class DeviceLock {
 public:
  DeviceLock();
  DeviceLock(const DeviceLock&) = delete;

 private:
  std::lock_guard<std::mutex> guard_;
};

// What could not be understood in the environment; empty if all could.
std::string environment_error();

// The text for last_message(), first come first kept while a fault is pending.  Takes a lock of its
// own.
void set_message(std::string text);

// errors.cc; the fault is read and written under the device lock
cudaError_t note(cudaError_t error);  // remembers it for this host thread's cudaGetLastError and returns it
cudaError_t pending_fault();
void set_fault(cudaError_t fault);

// memory.cc; all under the device lock
bool is_device_memory(const void* pointer, size_t bytes);
bool is_pinned_memory(const void* pointer, size_t bytes);
// Host code may not touch device memory: forbidden except while device work runs (AddressSanitizer
// sees it).
void allow_device_memory();
void forbid_device_memory();
// False, with a message, when something was written next to an allocation.
bool device_memory_intact();

// streams.cc; all under the device lock
void add_work(cudaStream_t stream, std::function<cudaError_t()> work);
void finish_stream(cudaStream_t stream);
void finish_device();
void drop_queued_work();
bool known_stream(cudaStream_t stream);

}  // namespace ups::emu
