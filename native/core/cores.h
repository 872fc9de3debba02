// How many cores this process may keep busy.
#pragma once
#include <cstdint>
#include <string>

namespace upsilon {

// Those of its affinity mask, or fewer where a container has a quota of processor time; at least 1.
int32_t available_cores();

// The smallest quota {cores, rounded up} that the control groups of Linux impose: the process's own
// group and all groups around it. `own` is the text of /proc/self/cgroup, `root` where the groups
// are mounted. Both versions are understood; INT32_MAX where there is no quota.
int32_t cores_of_quota(const std::string& own, const std::string& root);

}  // namespace upsilon
