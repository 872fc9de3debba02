// Quotas of processor time, as control groups state them: folders as version 1 and 2 lay them out,
// made here.
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <fstream>

#include "core/cores.h"
#include "support/check.h"

using namespace upsilon;

namespace {

struct Mount {
  std::filesystem::path root = std::filesystem::temp_directory_path() / ("upsilon_cores_" + std::to_string(getpid()));
  ~Mount() { std::filesystem::remove_all(root); }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  }
  int32_t cores(const std::string& own) const { return cores_of_quota(own, root.string()); }
};

void version_2() {
  const Mount m;
  m.write("a/b/cpu.max", "max 100000\n");
  CHECK(m.cores("0::/a/b\n") == INT32_MAX);
  m.write("a/cpu.max", "150000 100000\n");
  CHECK(m.cores("0::/a/b\n") == 2);  // the group around it counts
  CHECK(m.cores("0::/\n") == INT32_MAX);
  m.write("cpu.max", "50000 100000\n");  // as a container sees its own group, wherever the host has it
  CHECK(m.cores("0::/host/name/of/it\n") == 1);
  m.write("cpu.max", "nonsense");
  CHECK(m.cores("0::/\n") == INT32_MAX);
}

void version_1() {
  const Mount m;
  const std::string own = "5:memory:/x\n4:cpu,cpuacct:/a\n3:cpuset:/\n";
  CHECK(m.cores(own) == INT32_MAX);
  m.write("cpu/a/cpu.cfs_quota_us", "-1\n");
  m.write("cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(m.cores(own) == INT32_MAX);
  m.write("cpu/a/cpu.cfs_quota_us", "400000\n");
  CHECK(m.cores(own) == 4);
}

}  // namespace

int main() {
  version_2();
  version_1();
  CHECK(cores_of_quota("", "/nowhere") == INT32_MAX && cores_of_quota("::\n:\nx", "/nowhere") == INT32_MAX);
  CHECK(available_cores() >= 1);
  return finish_checks();
}
