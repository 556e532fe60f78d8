// SPDX-License-Identifier: MIT
// CLI11 with our manners: --help goes to standard output and ends with 0, a mistake to standard error and
// with 2. Only for our own options; a user's command is cut off before by split_args().
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/commands.h"

namespace sysvm {

// The exit code to return at once, or nothing if all is well.
std::optional<int> parse_options(CLI::App& app, const Words& words, const char* usage);

// "16M", "64k", "4096": bytes, or nothing.
std::optional<size_t> parse_size(const std::string& text);

// Ends as the command ended: returns its exit status, or raises the signal that killed it, so that our caller
// sees what it would have seen without us.
int exit_like(int wait_status);

}  // namespace sysvm
