// SPDX-License-Identifier: MIT
#include "traces/calls32.h"

#include <string>
#include <unordered_map>
#include <utility>

#include "uapi/syscalls.h"

namespace sysvm {

namespace {

// The header's own table, as this machine has it (traces/CMakeLists.txt). What a newer kernel has came after
// the numbers of all architectures were made the same.
constexpr int32_t kSameFrom = 424;
constexpr std::pair<int32_t, const char*> kRows[] = {
#define SYSVM_CALL32(nr, name) {nr, #name},
#include "calls32.inc"
};

}  // namespace

const char* call32_name(int32_t nr) {
  static const std::unordered_map<int32_t, const char*> names(std::begin(kRows), std::end(kRows));
  if (auto it = names.find(nr); it != names.end()) return it->second;
  const struct sysvm_syscall_info* same =
      nr < kSameFrom ? nullptr : sysvm_syscall_by_nr(static_cast<unsigned>(nr));
  return same ? same->name : nullptr;
}

int32_t call32_number(std::string_view name) {
  for (const auto& [nr, known] : kRows)
    if (name == known) return nr;
  const struct sysvm_syscall_info* same = sysvm_syscall_by_name(std::string(name).c_str());
  return same && same->nr >= kSameFrom ? same->nr : -1;
}

std::string_view call32_same_as(std::string_view name) {
  static const std::unordered_map<std::string_view, std::string_view> others = {
      {"stat64", "stat"},
      {"lstat64", "lstat"},
      {"fstat64", "fstat"},
      {"fstatat64", "newfstatat"},
      {"mmap2", "mmap"},
      {"fcntl64", "fcntl"},
      {"statfs64", "statfs"},
      {"fstatfs64", "fstatfs"},
      {"truncate64", "truncate"},
      {"ftruncate64", "ftruncate"},
      {"getuid32", "getuid"},
      {"getgid32", "getgid"},
      {"geteuid32", "geteuid"},
      {"getegid32", "getegid"},
      {"chown32", "chown"},
      {"lchown32", "lchown"},
      {"fchown32", "fchown"},
      {"ugetrlimit", "getrlimit"},
      {"_newselect", "select"},
      {"sendfile64", "sendfile"},
      {"_llseek", "lseek"},
      {"clock_gettime64", "clock_gettime"},
      {"clock_nanosleep_time64", "clock_nanosleep"},
      {"utimensat_time64", "utimensat"},
      {"ppoll_time64", "ppoll"}};
  auto it = others.find(name);
  return it != others.end() ? it->second : name;
}

std::string call32_label(int32_t nr) {
  const char* name = call32_name(nr);
  return name ? std::string("i386_") + name : "i386_syscall_" + std::to_string(nr);
}

}  // namespace sysvm
