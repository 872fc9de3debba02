// Errors: of each host thread, of the device, and their words.
#include "device.h"

namespace ups::emu {

namespace {

std::mutex& device_mutex() {
  static auto* const mutex = new std::mutex;  // never destroyed: static destructors may still free device memory
  return *mutex;
}

std::mutex& message_mutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

std::string& message() {
  static auto* const text = new std::string;
  return *text;
}

constinit thread_local cudaError_t last_error = cudaSuccess;
constinit cudaError_t fault = cudaSuccess;
constinit bool message_is_of_fault = false;

}  // namespace

DeviceLock::DeviceLock() : guard_(device_mutex()) {}

void set_message(std::string text) {
  const std::lock_guard guard(message_mutex());
  if (!message_is_of_fault) message() = std::move(text);
}

std::string last_message() {
  const std::lock_guard guard(message_mutex());
  return message();
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

cudaError_t pending_fault() { return fault; }

void set_fault(cudaError_t error) {
  if (fault != cudaSuccess) return;
  fault = error;
  const std::lock_guard guard(message_mutex());
  message_is_of_fault = true;
}

void clear_fault() {
  const DeviceLock lock;
  fault = cudaSuccess;
  last_error = cudaSuccess;
  const std::lock_guard guard(message_mutex());
  message_is_of_fault = false;
  message().clear();
}

cudaError_t refuse_launch(cudaError_t error) { return note(error); }

}  // namespace ups::emu

cudaError_t cudaPeekAtLastError() {
  const ups::emu::DeviceLock lock;
  const cudaError_t fault = ups::emu::pending_fault();
  return fault != cudaSuccess ? fault : ups::emu::last_error;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  ups::emu::last_error = cudaSuccess;
  return error;
}

namespace {

struct ErrorWords {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorWords error_words[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  for (const ErrorWords& words : error_words)
    if (words.error == error) return words.name;
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  for (const ErrorWords& words : error_words)
    if (words.error == error) return words.text;
  return "unrecognized error code";
}
