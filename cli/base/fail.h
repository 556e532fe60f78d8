// SPDX-License-Identifier: MIT
// How a command of the program in libexec/ ends that cannot go on: one line, one exit code.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

#include "cli/base/exit_codes.h"
#include "cli/base/terminal.h"
#include "common/result.h"

namespace sysvm {

// return fail(kExitUsage, trace.error());
inline int fail(int exit_code, const Error& error) {
  show_progress("");
  spdlog::error("{}", error.message);
  return exit_code;
}

// return fail(kExitUsage, "dump", trace.error());   // "dump: x.trace: ..."
inline int fail(int exit_code, std::string_view command, const Error& error) {
  return fail(exit_code, Error{fmt::format("{}: {}", command, error.message)});
}

}  // namespace sysvm
