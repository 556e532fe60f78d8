// SPDX-License-Identifier: MIT
#include "cli/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "common/printable.h"

namespace sysvm {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

bool moves_its_cursor(int fd) {
  const char* term = std::getenv("TERM");
  return term && std::strcmp(term, "dumb") != 0 && ::isatty(fd);
}

void put(const std::string& line) { (void)!::write(STDERR_FILENO, line.data(), line.size()); }

void say(const char* color, const std::string& level, const std::string& text) {
  const bool colored = use_color("auto", STDERR_FILENO);
  put("sysvm: " + (colored ? color + level + "\033[m" : level) + ": " + without_controls(text) + "\n");
}

}  // namespace

void say_error(const std::string& text) { say("\033[31m\033[1m", "error", text); }
void say_warning(const std::string& text) { say("\033[33m\033[1m", "warning", text); }

bool use_color(std::string_view choice, int fd) {
  if (choice != "auto") return choice == "always";
  return !is_set("NO_COLOR") && (is_set("CLICOLOR_FORCE") || moves_its_cursor(fd));
}

size_t terminal_width() {
  winsize size{};
  int columns = is_set("COLUMNS") ? std::atoi(std::getenv("COLUMNS")) : 0;
  if (columns < 40 && ::isatty(STDOUT_FILENO) && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    columns = size.ws_col;
  return columns < 40 ? 80 : static_cast<size_t>(std::min(columns, 120));
}

bool shows_progress() {
  static const bool can = moves_its_cursor(STDERR_FILENO);
  return can;
}

void show_progress(const std::string& line) {
  static std::atomic<bool> there = false;
  const bool was_there = there.exchange(!line.empty());
  if (shows_progress() && (was_there || !line.empty()))
    put("\r" + without_controls(line).substr(0, terminal_width() - 1) + "\033[K");
}

}  // namespace sysvm
