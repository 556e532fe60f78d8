// SPDX-License-Identifier: MIT
// Starts the user's command, but holds it before its exec until the tracer is attached. An error of the exec
// comes back through a pipe that the exec itself closes, so "no such command" and "ended with 127" are told
// apart. Tested by tests/tracer/.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "tracer/supervisor.h"

namespace sysvm {

struct Identity {  // whom the command runs as
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name, home, shell;
};
Result<Identity> find_user(const std::string& name_or_number);

struct Command {
  std::vector<std::string> argv;
  std::optional<std::vector<std::string>> env;  // NAME=value; absent: ours
  std::array<int, 3> fds{-1, -1, -1};           // become 0, 1, 2; -1: ours
  std::string cwd;                              // "": ours
  std::optional<Identity> user;
};

// The file that execvp would run, looked for in the PATH of command.env. On failure exit_code is 126 or 127.
Result<std::string> find_executable(const Command& command, int& exit_code);

class HeldChild {
 public:
  // Forks; the child waits. path is what find_executable gave. It begins with the signal mask, and with
  // SIGCHLD ignored or not, as this process did before the supervisor.
  static Result<HeldChild> start(const Command& command, const std::string& path,
                                 const Supervisor& supervisor);
  HeldChild(HeldChild&&) = default;
  ~HeldChild();  // kills and reaps a child that was never released

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }

  // Lets it exec. Returns 0 once the exec succeeded, or the errno of what failed (the child has ended then,
  // and is reaped). why, if given, names the step: "exec", "chdir".
  int release(std::string* why = nullptr);
  // For a tracer that must handle stops while the exec happens: let go, then ask for the outcome later.
  void let_go();
  int outcome(std::string* why = nullptr);

 private:
  HeldChild() = default;
  pid_t pid_ = -1;
  bool released_ = false;
  UniqueFd pidfd_, go_, result_;
};

int open_pidfd(pid_t pid);  // -1 and errno

}  // namespace sysvm
