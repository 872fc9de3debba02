// A context: device, threads, workspace, last error. Everything a call may change lives here.
#pragma once
#include <string>
#include <vector>

#include "cpu.h"
#include "plugin.h"
#include "threads.h"

namespace upsilon {

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

struct Error {
  ups_status status = UPS_OK;
  std::string operation, argument, text;
  ups_error view{};
  ups_status set(ups_status status_, std::string operation_, std::string argument_, std::string text_) noexcept;
};

// What the gate notes down about a call on its way: as large as the operations need, sized at a context's first call.
struct Notes {
  std::vector<int64_t> dims;     // values of the dimension names
  std::vector<int> bound_by;     // the parameters that gave them
  std::vector<char> given;       // whether any did
  std::vector<DeviceRule> rules;
};

// Host memory for blocks and workspaces: 64-byte aligned, huge pages asked for where large, recycled (recycled.h).
void* allocate_host(size_t bytes);
void release_host(void* data, size_t bytes);
void free_host(void* data);  // back to the system

// printf into a string, for error messages.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);
std::string shape_text(const ups_tensor& tensor);  // "[64, 12]"
std::string device_text(ups_device device);        // "cpu", "cuda:0", "emulated:0"
const char* dtype_text(ups_dtype dtype);           // "float32"; "an unknown dtype"
size_t element_size(ups_dtype dtype);              // 0 for dtypes the library does not know
int64_t element_count(const ups_tensor& tensor);   // -1 when a dimension is negative or the product overflows

}  // namespace upsilon

struct ups_context {
  ups_device device{UPS_CPU, 0};
  int32_t precision = UPS_FP32;
  bool forced = false;
  upsilon::Variant forced_variant = upsilon::Variant::reference;
  upsilon::Threads threads{1};
  upsilon::Workspace workspace;
  upsilon::Error error;
  upsilon::Notes notes;
  const char* last_variant = "";
  std::string strategy;  // of kernels that have one of this name: it computes every call, for tests
  const char* last_strategy = "";

  const upsilon::Plugin* plugin = nullptr;  // null: CPU
  void* stream = nullptr;
  int32_t* fault = nullptr;  // device word
  int64_t owner = 0;         // process that made it: device contexts do not survive a fork

  ~ups_context();
};
