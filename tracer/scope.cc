// SPDX-License-Identifier: MIT
#include "tracer/scope.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sysvm {

namespace fs = std::filesystem;

namespace {

bool is_cgroup(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "cgroup.procs", ignored);
}

}  // namespace

Result<std::string> find_cgroup(const std::string& name) {
  if (name.starts_with('/') && is_cgroup(name)) return name;
  // A line of mountinfo: "38 31 0:41 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
  std::ifstream mounts("/proc/self/mountinfo");
  std::string v1;
  for (std::string line; std::getline(mounts, line);) {
    const size_t dash = line.find(" - cgroup");
    if (dash == std::string::npos) continue;
    std::istringstream words(line);
    std::string word, place;
    for (int i = 0; i < 5; ++i) words >> (i == 4 ? place : word);
    const std::string folder = place + (name.starts_with('/') ? "" : "/") + name;
    if (!is_cgroup(folder)) continue;
    if (line.compare(dash, 10, " - cgroup2") == 0) return folder;
    if (v1.empty()) v1 = folder;
  }
  if (!v1.empty()) return v1;
  return error("control group {}: not found; expected its folder, or its path below a cgroup mount", name);
}

std::vector<int32_t> processes_of_cgroup(const std::string& folder) {
  std::vector<int32_t> out;
  auto read = [&](const fs::path& one) {
    std::ifstream procs(one / "cgroup.procs");
    for (int32_t pid; procs >> pid;)
      if (pid > 0) out.push_back(pid);  // 0: not visible in our pid namespace
  };
  read(folder);
  std::error_code e;
  for (auto it = fs::recursive_directory_iterator(folder, e); !e && it != fs::recursive_directory_iterator();
       it.increment(e))
    if (it->is_directory(e)) read(it->path());
  return out;
}

}  // namespace sysvm
