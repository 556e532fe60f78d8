// SPDX-License-Identifier: MIT
// sysvm: records the system calls of a program, compiles what repeats, runs it with fewer kernel entries.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "cli/commands.h"
#include "cli/data_output.h"

namespace sysvm {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const Words&);
};

constexpr Command kCommands[] = {
#define SYSVM_COMMAND(name, summary) {#name, summary, cmd_##name},
#include "cli/commands.inc"
    {"", "", nullptr},
};

void print_help(FILE* out) {
  fmt::print(out,
             "usage: sysvm COMMAND [options] [--] [CMD...]\n\n"
             "  sysvm try -- grep -r define /usr/include    record, compile, run, compare: one table\n\n"
             "commands:\n");
  for (const Command& c : kCommands)
    if (c.run) fmt::print(out, "  {:<9} {}\n", c.name, c.summary);
  fmt::print(out, "\n'sysvm COMMAND --help' says more. Exit status: that of CMD, or 2 (usage), 125 (sysvm failed),\n"
                  "126 (CMD cannot be executed), 127 (CMD not found).\n");
}

int main(int argc, char** argv) {
  spdlog::set_default_logger(
      spdlog::stderr_color_mt("sysvm", use_color("auto", STDERR_FILENO) ? spdlog::color_mode::always : spdlog::color_mode::never));
  spdlog::set_pattern("%n: %^%l%$: %v");
  if (argc < 2) {
    print_help(stderr);
    return kExitUsage;
  }
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return 0;
  }
  if (name == "--version") {
    fmt::print("sysvm 0.1.0\n");
    return 0;
  }
  if (name == "run-prepare") return cmd_run_prepare(Words(argv + 2, argv + argc));
  if (name == "run-report") return cmd_run_report(Words(argv + 2, argv + argc));
  for (const Command& c : kCommands)
    if (c.run && c.name == name) return c.run(Words(argv + 2, argv + argc));
  spdlog::error("'{}' is not a sysvm command; 'sysvm --help' lists them", name);
  return kExitUsage;
}

}  // namespace
}  // namespace sysvm

int main(int argc, char** argv) { return sysvm::main(argc, argv); }
