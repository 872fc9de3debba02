// A context: device, threads, workspace, last error. Everything a call may change lives here.
#pragma once
#include <atomic>
#include <string>
#include <string_view>
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

// A part of a text that is a name from the schema, of an argument, an option or a dimension.
struct Mention {
  uint16_t begin = 0, length = 0;
};
// A name that is part of a text: Error::set takes the marks off and keeps its place, so that a binding whose users know
// it by another name can put that there.
std::string named(const std::string& name);

// A failure, in memory of its own: it can be told when there is no other memory left. Longer texts end with an ellipsis.
struct Error {
  static constexpr int32_t max_mentions = 8;

  ups_status status = UPS_OK;
  char operation[64] = "", argument[64] = "", text[1024] = "";
  Mention mentions[max_mentions];  // in the order of the text; names beyond these are kept as they are
  int32_t mention_count = 0;
  ups_error view{};
  ups_status set(ups_status status_, std::string_view operation_, std::string_view argument_,
                 std::string_view text_) noexcept;

 private:
  void take_mentions() noexcept;
};

// What the gate notes down about a call on its way: as large as the operations need, sized at a context's first call.
struct Notes {
  std::vector<int64_t> dims;  // values of the dimension names
  std::vector<int> bound_by;  // the parameters that gave them
  std::vector<char> given;  // whether any did
  std::vector<DeviceRule> rules;
};

// Host memory for blocks and workspaces: 64-byte aligned, huge pages asked for where large, recycled (recycled.h).
void* allocate_host(size_t bytes);
void release_host(void* data, size_t bytes);
void free_host(void* data);  // back to the system

// printf into a string, for error messages.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);
std::string shape_text(const ups_tensor& tensor);  // "[64, 12]"
std::string device_text(ups_device device);  // "cpu", "cuda:0", "emulated:0"
ups_status synchronize(ups_context& context);  // ups_synchronize, inside a call
const char* dtype_text(ups_dtype dtype);  // "float32"; "an unknown dtype"
size_t element_size(ups_dtype dtype);  // 0 for dtypes the library does not know
int64_t element_count(const ups_tensor& tensor);  // -1 when a dimension is negative or the product overflows

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
  std::vector<char> options;  // of a caller's shorter struct, filled up with defaults
  std::atomic<const char*> last_variant = "";  // atomic, as any thread may ask
  std::atomic<bool> busy = false;  // a thread is inside (entry.h)
  const uint64_t id;  // of no other context of this process
  std::string strategy;  // of kernels that have one of this name: it computes every call, for tests
  const char* last_strategy = "";

  const upsilon::Plugin* plugin = nullptr;  // null: CPU
  void* stream = nullptr;
  int32_t* fault = nullptr;  // device word
  int64_t owner = 0;  // process that made it: device contexts do not survive a fork

  ups_context();
  ~ups_context();
};
