// SPDX-License-Identifier: MIT
#include "libsysvm/run/launch.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "libsysvm/prefetch/start.h"
#include "libsysvm/shim/bundle/bundle.h"

extern char** environ;

namespace sysvm {
namespace {

constexpr std::string_view kPreload = "LD_PRELOAD=";
constexpr std::string_view kVariable = BUNDLE_VARIABLE "=";

}  // namespace

int execute(const std::string& path, char* const* argv, char* const* envp) {
  prefetch_before_exec();
  ::execve(path.c_str(), argv, envp);
  if (errno != ENOEXEC) return errno;
  std::vector<char*> shell{const_cast<char*>("/bin/sh"), const_cast<char*>(path.c_str())};
  for (char* const* a = argv + 1; argv[0] && *a; ++a) shell.push_back(*a);
  shell.push_back(nullptr);
  ::execve(shell[0], shell.data(), envp);
  return errno;
}

Environment::Environment(const std::string& library, const std::string& bundle) {
  size_t preload = ~size_t{0};
  for (char** e = environ; e && *e; ++e) {
    const std::string_view variable = *e;
    if (variable.starts_with(kVariable)) continue;
    if (variable.starts_with(kPreload)) preload = pointers_.size();  // of several the loader takes the last
    pointers_.push_back(*e);
  }
  if (!bundle.empty()) {  // the form that bundle.h describes
    const bool others = preload != ~size_t{0};
    preload_ = others ? std::string(pointers_[preload]) + ":" + library : std::string(kPreload) + library;
    variable_ = std::string(kVariable) + bundle + "\n" + library;
    if (others) pointers_[preload] = preload_.data();
    pointers_.push_back(others ? const_cast<char*>(kVariable.data()) : preload_.data());
    pointers_.push_back(variable_.data());
  }
  pointers_.push_back(nullptr);
}

std::vector<std::string> Environment::strings() const {
  return std::vector<std::string>(pointers_.begin(), pointers_.end() - 1);
}

int exec_plainly(const std::string& path, char* const* argv) {
  return execute(path, argv, Environment("", "").data());
}

int exec_in_place(const std::string& path, char* const* argv, const Environment& with_us) {
  const int failed = execute(path, argv, with_us.data());
  return failed == E2BIG ? exec_plainly(path, argv) : failed;
}

}  // namespace sysvm
