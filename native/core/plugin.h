// The C vtable between the core and a CUDA plug-in (libupsilon_cuda.so, or its emulated twin). The
// core never links CUDA; it opens the plug-in on request and learns why when it cannot be used.
#pragma once
#include "data_rules.h"
#include "operation.h"

namespace upsilon {

inline constexpr int32_t plugin_abi = 5;

enum class CopyKind : int32_t { host_to_device, device_to_host, device_to_device };

// One rule of the schema, checked on the device before the operation's kernels run.
struct DeviceRule {
  Rule rule;
  RuledElements ruled;
  int32_t code;  // written into the fault word when the rule is broken and no fault was recorded before
};

struct Plugin {
  int32_t abi;
  int32_t device_type;  // UPS_CUDA or UPS_EMULATED
  // Number of usable devices; 0 with a sentence in `why` when there is none.
  int32_t (*device_count)(char* why, size_t why_size);
  ups_status (*device_info)(int32_t id, ups_device_info* info);
  ups_status (*stream_create)(int32_t id, void** stream);
  void (*stream_destroy)(int32_t id, void* stream);
  ups_status (*allocate)(int32_t id, size_t bytes, void** data);
  void (*release)(int32_t id, void* data);
  ups_status (*allocate_pinned)(size_t bytes, void** data);
  void (*release_pinned)(void* data);
  // Host-side reads and writes are finished on return for pageable memory.
  ups_status (*copy)(int32_t id, void* stream, void* destination, const void* source, size_t bytes, CopyKind kind);
  ups_status (*fill)(int32_t id, void* stream, void* destination, int32_t byte, size_t bytes);
  ups_status (*synchronize)(int32_t id, void* stream);
  ups_status (*check_rules)(int32_t id, void* stream, const DeviceRule* rules, int32_t count, int32_t* fault);
  ups_status (*select)(int32_t id);  // makes the device current for this host thread, before kernels are launched
  const char* (*last_message)();     // what the device said of the last failure, on this host thread
  const VariantEntry* (*kernels)();
};

using PluginEntry = const Plugin* (*)(int32_t abi);
inline constexpr const char* plugin_entry_name = "upsilon_plugin";

// The plug-in for a device type, opened once per process; null when it cannot be used, then
// plugin_problem says why.
const Plugin* plugin_for(int32_t device_type);
const char* plugin_problem(int32_t device_type);
// A plug-in's kernel for an operation; run is null where there is none.
KernelEntry plugin_kernel(const Plugin& plugin, const char* operation);

}  // namespace upsilon
