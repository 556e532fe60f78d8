// SPDX-License-Identifier: MIT
// The command as a child, where `sysvm run` has something to do after it ended: counters, or a bundle that
// only this process holds. Signals, stops and ends as common/foreground.h has them.
// Tested by tests/run/wrapper_test.py.
#pragma once

#include <string>

namespace sysvm {

struct Ended {
  int wait_status = 0;  // as waitpid gives it
  int exec_errno = 0;   // it could not be executed
  double wall_ms = 0;
};

// False: there could be no process; errno says why.
bool supervise(const std::string& path, char* const* argv, char* const* envp, Ended& ended);

}  // namespace sysvm
