// SPDX-License-Identifier: MIT
#include "traces/calls32.h"

#include <unordered_map>

namespace sysvm {

namespace {

struct Row {
  int32_t nr;
  const char* name;
};

constexpr Row kRows[] = {
#define SYSVM_CALL32(nr, name) {nr, #name},
#include "traces/calls32.inc"
};

}  // namespace

const char* call32_name(int32_t nr) {
  static const auto names = [] {
    std::unordered_map<int32_t, const char*> out;
    for (const Row& row : kRows) out.emplace(row.nr, row.name);
    return out;
  }();
  auto it = names.find(nr);
  return it != names.end() ? it->second : nullptr;
}

int32_t call32_number(std::string_view name) {
  static const auto numbers = [] {
    std::unordered_map<std::string_view, int32_t> out;
    for (const Row& row : kRows) out.emplace(row.name, row.nr);
    return out;
  }();
  auto it = numbers.find(name);
  return it != numbers.end() ? it->second : -1;
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
