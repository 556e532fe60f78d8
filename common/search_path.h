// SPDX-License-Identifier: MIT
// The file that execvp would run, and what it says when there is none. The front program has this too, so
// there is no library in it but the standard one.
// Tested by tests/run/command_test.cc and tests/tracer/tracer_test.cc.
#pragma once

#include <cstdlib>
#include <string>

namespace sysvm {

// Empty: not found; error is ENOENT, or says why what is there cannot be run. cwd: where relative names count
// from; "": here.
std::string search_path(const std::string& word, int& error, const char* path = std::getenv("PATH"),
                        const std::string& cwd = "");

struct CommandError {
  int exit_code = 0;  // kExitNotFound or kExitNotExecutable of cli/base/exit_codes.h
  std::string message;
};
CommandError command_error(const std::string& word, int error);

}  // namespace sysvm
