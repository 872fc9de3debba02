// A context: device, threads, workspace, last error. Everything a call may change lives here.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "cpu.h"
#include "error.h"
#include "memory.h"
#include "plugin.h"
#include "threads.h"

namespace upsilon {

// The gate's notes about a call: as large as the operations need, sized at a context's first call.
struct Notes {
  std::vector<int64_t> dims;  // values of the dimension names
  std::vector<int> bound_by;  // the parameters that gave them
  std::vector<char> given;  // whether any did
  std::vector<DeviceRule> rules;
};

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
  const uint64_t id;  // unique in this process
  std::string strategy;  // a strategy that computes every call of the kernels that have it, for tests
  const char* last_strategy = "";

  const upsilon::Plugin* plugin = nullptr;  // null: CPU
  void* stream = nullptr;
  int32_t* fault = nullptr;  // device word
  int64_t owner = 0;  // process that made it: device contexts do not survive a fork

  ups_context();
  ~ups_context();
};
