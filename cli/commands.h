// SPDX-License-Identifier: MIT
// The subcommands of the one program. Each lives in cmd_NAME.cc; commands.inc lists them.
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

#define SYSVM_COMMAND(name, summary) int cmd_##name(const Words& words);
#include "cli/commands.inc"

// `sysvm run` is the front program's (cli/front/), which starts this one for the parts that need it.
int cmd_run_prepare(const Words& words);
int cmd_run_report(const Words& words);

}  // namespace sysvm
