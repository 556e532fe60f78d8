// SPDX-License-Identifier: MIT
// How all commands explain themselves and a mistake on their command line, whatever parses it: lines that fit
// the terminal (80 columns where there is none), one wording for each kind of mistake.
// Tested by tests/cli/help_test.py.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace sysvm {

// usage, what the command does, its arguments and options. Lines of the description that begin with a blank
// are examples and stay as they are; others are filled anew.
std::string help_text(const CLI::App& app, std::string_view usage, size_t width);

// "unknown option '--colour'; did you mean '--color'?"
std::string mistake(const CLI::App& app, const CLI::ParseError& problem);

size_t help_width();  // of the terminal, 80 where there is none

// Words up to the width, further lines indented.
std::string filled(std::string_view text, size_t width, size_t first_indent, size_t indent);

}  // namespace sysvm
