#include "cores.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdio>
#include <memory>
#include <new>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace upsilon {
namespace {

// "" if there is no such file. Without streams, which take a failed allocation for the end of the
// file.
std::string text_of(const std::string& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(std::fopen(file.c_str(), "re"), std::fclose);
  if (!opened && errno == ENOMEM) throw std::bad_alloc();
  std::string text;
  char part[1024];
  while (opened) {
    const size_t got = std::fread(part, 1, sizeof part, opened.get());
    if (got == 0) break;
    text.append(part, got);
  }
  return text;
}

// "max 100000" is no quota, "150000 100000" one and a half cores: microseconds of processor time
// per period.
int32_t cores_of(const std::string& quota_and_period) {
  double quota = 0, period = 0;
  if (std::sscanf(quota_and_period.c_str(), "%lf %lf", &quota, &period) != 2 || !(quota > 0) || !(period > 0))
    return INT32_MAX;
  return static_cast<int32_t>(std::clamp(std::ceil(quota / period), 1.0, 1e9));
}

// `group` and the groups around it, up to the root of the mount.
template <class Cores>
int32_t smallest_around(std::string group, Cores cores) {
  int32_t smallest = INT32_MAX;
  while (true) {
    smallest = std::min(smallest, cores(group));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos || group.size() <= 1) return smallest;
    group.resize(slash);
  }
}

}  // namespace

int32_t cores_of_quota(const std::string& own, const std::string& root) {
  int32_t smallest = INT32_MAX;
  for (size_t begin = 0, end = 0; begin < own.size(); begin = end + 1) {
    end = std::min(own.find('\n', begin), own.size());
    const std::string line = own.substr(begin, end - begin);  // number:controllers:group
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      smallest = std::min(smallest, smallest_around(group, [&](const std::string& at) {
                            return cores_of(text_of(root + at + "/cpu.max"));
                          }));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      smallest = std::min(
          smallest, smallest_around(group, [&](const std::string& at) {
            const std::string folder = root + "/cpu" + at;
            return cores_of(text_of(folder + "/cpu.cfs_quota_us") + ' ' + text_of(folder + "/cpu.cfs_period_us"));
          }));
    }
  }
  return smallest;
}

int32_t available_cores() {
  int32_t cores = std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = std::max(1, CPU_COUNT(&set));
  static const int32_t quota = cores_of_quota(text_of("/proc/self/cgroup"), "/sys/fs/cgroup");
  cores = std::min(cores, quota);
#endif
  return cores;
}

}  // namespace upsilon
