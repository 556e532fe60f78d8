// SPDX-License-Identifier: MIT
// What we print beside data: one line for a mistake, how wide and how colourful the terminal is, progress.
//
// The front program (front/) has this too, so there is no library in it but the standard one; the lines look
// like spdlog's, which the other commands use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sysvm {

// "sysvm: error: TEXT" on standard error.
void say_error(const std::string& text);
void say_warning(const std::string& text);

// choice: auto, always, never. auto: NO_COLOR, CLICOLOR_FORCE, TERM=dumb, and whether fd is a terminal.
bool use_color(std::string_view choice, int fd = 1);

// Columns of the terminal that is standard output, at most 120; 80 where there is none. COLUMNS goes first.
size_t terminal_width();

// A line on standard error that the next one replaces, on a terminal that can do that; "" takes it away.
bool shows_progress();
void show_progress(const std::string& line);

}  // namespace sysvm
