// SPDX-License-Identifier: MIT
// Cuts the command line where the user's command begins, before any option parser sees it: the first "--"
// ends our options; without one they end at the first word that is neither an option nor an option's value.
// CLI11 alone would eat a --help that belongs to the command.
// Tested by tests/cli/args_test.cc.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace sysvm {

struct SplitArgs {
  std::vector<std::string> own;      // our options
  std::vector<std::string> command;  // CMD and its arguments; empty if none was given
};

// with_value: our options that take a value in the next word ("-o", "--output").
SplitArgs split_args(const std::vector<std::string>& words, const std::set<std::string>& with_value);

}  // namespace sysvm
