// SPDX-License-Identifier: MIT
// sysvm, as users call it: `run` is here, every other command in the program that this one becomes.
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/base/exit_codes.h"
#include "cli/base/terminal.h"
#include "cli/front/front.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], "run") == 0)
    return sysvm::front_run(std::vector<std::string>(argv + 2, argv + argc));
  const std::string tools = sysvm::tools_path();
  execve(tools.c_str(), argv, environ);
  sysvm::say_error(tools + ": cannot be executed: " + std::strerror(errno) +
                   "; it is installed beside sysvm");
  return sysvm::kExitToolFailed;
}
