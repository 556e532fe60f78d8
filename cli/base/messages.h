// SPDX-License-Identifier: MIT
// What a command of the program in libexec/ says beside its data, and how it ends when it cannot go on: a
// line on standard error, whatever the names in it. spdlog writes it; only messages.cc includes spdlog, whose
// headers cost seconds of compiling in each file.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "cli/base/exit_codes.h"
#include "common/result.h"

namespace sysvm {

enum class Level { kInfo, kWarning, kError };

void begin_messages();  // before the first line
void log_line(Level level, const std::string& text);

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

// return fail(kExitUsage, trace.error());
int fail(int exit_code, const Error& error);

// return fail(kExitUsage, "dump", trace.error());   // "dump: x.trace: ..."
int fail(int exit_code, std::string_view command, const Error& error);

}  // namespace sysvm
