// SPDX-License-Identifier: MIT
// How every command explains itself: lines that fit the terminal, options in two columns, examples as they
// are.
// Tested by tests/cli/help_test.py.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sysvm {

struct HelpLine {
  std::string names, text;  // "-o,--output FILE", "where to write"
};

// text: what the command does. Lines of it that begin with a blank are examples and stay as they are; others
// are filled anew. notes: as text, after the options.
std::string help_text(std::string_view usage, std::string_view text, const std::vector<HelpLine>& arguments,
                      const std::vector<HelpLine>& options, std::string_view notes, size_t width);

// Words up to the width. The first line begins after first_indent columns that are there already, further
// lines are indented.
std::string filled(std::string_view text, size_t width, size_t first_indent = 0, size_t indent = 0);

}  // namespace sysvm
