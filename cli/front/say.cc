// SPDX-License-Identifier: MIT
#include "cli/front/say.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace sysvm {
namespace {

// As use_color of cli/data_output.h.
bool colored() {
  const auto is_set = [](const char* name) {
    const char* value = std::getenv(name);
    return value && *value;
  };
  if (is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE")) return true;
  const char* term = std::getenv("TERM");
  return term && std::strcmp(term, "dumb") != 0 && ::isatty(STDERR_FILENO);
}

void say(const char* color, const char* level, const std::string& text) {
  std::string line = "sysvm: ";
  line += colored() ? std::string(color) + level + "\033[m" : std::string(level);
  line += ": " + text + "\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void say_error(const std::string& text) { say("\033[31m\033[1m", "error", text); }
void say_warning(const std::string& text) { say("\033[33m\033[1m", "warning", text); }

}  // namespace sysvm
