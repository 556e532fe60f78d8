// SPDX-License-Identifier: MIT
// The file that execvp would run, and what it says when there is none.
// Tested by tests/run/command_test.cc.
#pragma once

#include <string>

namespace sysvm {

// Empty: not found; error is ENOENT, or says why what is there cannot be run.
std::string search_path(const std::string& word, int& error);

struct CommandError {
  int exit_code = 0;  // kExitNotFound or kExitNotExecutable of cli/commands.h
  std::string message;
};
CommandError command_error(const std::string& word, int error);

}  // namespace sysvm
