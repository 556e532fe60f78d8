// SPDX-License-Identifier: MIT
// From a start to the running command. Where nothing has to be done after the command ended, it takes the
// place of this process (exec in place): parent, group, session, signals and exit status are then exactly
// those of a plain run.
// Tested by tests/run/wrapper_test.py.
#pragma once

#include <string>
#include <vector>

namespace sysvm {

// This process's environment with what loads the shim; LD_PRELOAD keeps its place, and others' libraries come
// first. bundle empty: without anything of ours.
class Environment {
 public:
  Environment(const std::string& library, const std::string& bundle);
  Environment(const Environment&) = delete;
  char* const* data() const { return const_cast<char* const*>(pointers_.data()); }
  std::vector<std::string> strings() const;

 private:
  std::string preload_, variable_;
  std::vector<char*> pointers_;
};

// execve as execvp does it: a script without "#!" goes to /bin/sh. Returns only if it cannot be executed: the
// errno.
int execute(const std::string& path, char* const* argv, char* const* envp);

// Where the environment with ours in it is too long for the kernel, once more without.
int exec_in_place(const std::string& path, char* const* argv, const Environment& with_us);
int exec_plainly(const std::string& path, char* const* argv);

}  // namespace sysvm
