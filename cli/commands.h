// SPDX-License-Identifier: MIT
// The subcommands of the one program. Each lives in cmd_NAME.cc; commands.inc lists them.
#pragma once

#include "cli/base/exit_codes.h"

namespace sysvm {

#define SYSVM_COMMAND(name, summary) int cmd_##name(const Words& words);
#include "cli/commands.inc"

// `sysvm run` is the front program's (cli/front/), which starts this one for the parts that need it.
int cmd_run_prepare(const Words& words);
int cmd_run_report(const Words& words);

}  // namespace sysvm
