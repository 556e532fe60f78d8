// SPDX-License-Identifier: MIT
// What every command is given and what it ends with.
#pragma once

#include <string>
#include <vector>

namespace sysvm {

// Exit codes of our own failures; everything else is the status of the user's command.
inline constexpr int kExitUsage = 2;            // the command line is wrong, or an input file is
inline constexpr int kExitToolFailed = 125;     // we failed before or around the command
inline constexpr int kExitNotExecutable = 126;  // CMD is there but cannot be executed
inline constexpr int kExitNotFound = 127;       // CMD was not found

using Words = std::vector<std::string>;  // the arguments after the subcommand's name

}  // namespace sysvm
