#include "cores.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace upsilon {
namespace {

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  return text.str();
}

// "max 100000" is no quota, "150000 100000" one and a half cores: microseconds of processor time per period.
int32_t cores_of(const std::string& quota_and_period) {
  std::istringstream words(quota_and_period);
  double quota = 0, period = 0;
  if (!(words >> quota >> period) || !(quota > 0) || !(period > 0)) return INT32_MAX;
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
  std::istringstream lines(own);
  for (std::string line; std::getline(lines, line);) {  // number:controllers:group
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
