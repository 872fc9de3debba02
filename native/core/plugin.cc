#include "plugin.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>

#if !defined(_WIN32)
#include <dlfcn.h>
#include <unistd.h>
#endif

#include "registry.h"

namespace upsilon {
namespace {

struct Opened {
  std::once_flag once;
  const Plugin* plugin = nullptr;
  std::string problem;
};
Opened cuda, emulated;

std::mutex directory_mutex;
std::string& chosen_directory() {  // set by ups_set_plugin_directory
  static std::string directory;
  return directory;
}

#if !defined(_WIN32)
// Where UPSILON_PLUGIN_PATH says; else beside the library that this code is part of (the addon or
// libupsilon.so); else where ups_set_plugin_directory says. Without any of them, the place beside
// the library is the one to report.
std::string plugin_path(const char* file) {
  if (const char* directory = std::getenv("UPSILON_PLUGIN_PATH"); directory && *directory)
    return std::string(directory) + "/" + file;
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&plugin_for), &info) || !info.dli_fname) return file;
  const std::string self = info.dli_fname;
  const size_t slash = self.rfind('/');
  const std::string beside = slash == std::string::npos ? file : self.substr(0, slash + 1) + file;
  if (access(beside.c_str(), F_OK) == 0) return beside;
  std::lock_guard lock(directory_mutex);
  const std::string elsewhere = chosen_directory() + "/" + file;
  return !chosen_directory().empty() && access(elsewhere.c_str(), F_OK) == 0 ? elsewhere : beside;
}

void open(Opened& opened, const char* file, int32_t device_type) {
  const std::string path = plugin_path(file);
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    opened.problem = std::string("the plug-in cannot be opened: ") + dlerror();
    return;
  }
  // Never closed again: threads of the CUDA runtime may live on.
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(handle, plugin_entry_name));
  const Plugin* plugin = entry ? entry(plugin_abi) : nullptr;
  if (!plugin || plugin->abi != plugin_abi || plugin->device_type != device_type) {
    opened.problem = "the plug-in " + path + " belongs to another version of the library";
    return;
  }
  if (const std::string wrong = problem_of(plugin->kernels(), operations()); !wrong.empty()) {
    opened.problem = "the plug-in " + path + " has a " + wrong;
    return;
  }
  char why[256] = "";
  if (plugin->device_count(why, sizeof why) < 1) {
    opened.problem = why[0] ? why : "there is no device";
    return;
  }
  opened.plugin = plugin;
}
#else
void open(Opened& opened, const char*, int32_t) { opened.problem = "CUDA plug-ins are not supported on this system"; }
#endif

Opened& opened_for(int32_t device_type) {
  Opened& opened = device_type == UPS_EMULATED ? emulated : cuda;
  std::call_once(opened.once, [&] {
    open(opened, device_type == UPS_EMULATED ? "libupsilon_emulated.so" : "libupsilon_cuda.so", device_type);
  });
  return opened;
}

}  // namespace

const Plugin* plugin_for(int32_t device_type) {
  if (device_type != UPS_CUDA && device_type != UPS_EMULATED) return nullptr;
  return opened_for(device_type).plugin;
}

const char* plugin_problem(int32_t device_type) {
  if (device_type != UPS_CUDA && device_type != UPS_EMULATED) return "there is no such kind of device";
  return opened_for(device_type).problem.c_str();
}

KernelEntry plugin_kernel(const Plugin& plugin, const char* operation) {
  for (const VariantEntry* entry = plugin.kernels(); entry; entry = entry->next)
    if (!entry->is_double && std::strcmp(entry->operation, operation) == 0) return entry->kernel;
  return {};
}

}  // namespace upsilon

ups_status ups_set_plugin_directory(const char* directory) noexcept {
  try {
    std::lock_guard lock(upsilon::directory_mutex);
    upsilon::chosen_directory() = directory ? directory : "";
    return UPS_OK;
  } catch (const std::exception&) {
    return UPS_OUT_OF_MEMORY;
  }
}
