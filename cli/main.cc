// SPDX-License-Identifier: MIT
// sysvm: records the system calls of a program, compiles what repeats, runs it with fewer kernel entries.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/base/messages.h"
#include "cli/commands.h"
#include "common/did_you_mean.h"

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
             "  sysvm try -- grep -r x /usr/include    record, compile, run, compare: one table\n\n"
             "commands:\n");
  for (const Command& c : kCommands)
    if (c.run) fmt::print(out, "  {:<9} {}\n", c.name, c.summary);
  fmt::print(out,
             "\n'sysvm COMMAND --help' says more. Exit status: that of CMD, or 2 (usage),\n"
             "125 (sysvm failed), 126 (CMD cannot be executed), 127 (CMD not found).\n");
}

int unknown_command(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Command& c : kCommands) names.push_back(c.name);
  return fail(kExitUsage, error("'{}' is not a sysvm command{} ('sysvm --help' lists them)", name,
                                did_you_mean(name, names)));
}

// Whatever a command printed must have arrived: on a full disk, or into a closed pipe, it has not, and that
// is a failure.
int run(const Command& command, const Words& words) {
  int code = kExitToolFailed;
  try {
    code = command.run(words);
  } catch (const std::system_error& problem) {  // fmt::print throws it
    return fail(kExitToolFailed, command.name, error("{}", problem.what()));
  }
  const bool failed_before = ferror(stdout);
  // A command that noticed has said so itself.
  if ((fflush(stdout) == 0 && !failed_before) || code == kExitToolFailed) return code;
  return fail(kExitToolFailed, command.name,
              error("standard output: {}", errno ? strerror(errno) : "not everything could be written"));
}

// A standard stream that is closed would be the first file opened, and what is printed would go into it. What
// stands in its place cannot be written to, and is gone at an exec, so that a command finds closed what was
// closed.
void hold_closed_streams() {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_CLOEXEC) != fd) return;
}

int main(int argc, char** argv) {
  hold_closed_streams();
  begin_messages();
  if (argc < 2) {
    print_help(stderr);
    return kExitUsage;
  }
  const std::string_view name = argv[1];
  static constexpr Command kOwn[] = {
      {"help", "", [](const Words&) { return print_help(stdout), 0; }},
      {"version", "", [](const Words&) { return fmt::print("sysvm 0.1.0\n"), 0; }},
  };
  if (name == "--help" || name == "-h" || (name == "help" && argc == 2)) return run(kOwn[0], {});
  if (name == "--version") return run(kOwn[1], {});
  if (name == "run-prepare") return cmd_run_prepare(Words(argv + 2, argv + argc));
  if (name == "run-report") return cmd_run_report(Words(argv + 2, argv + argc));
  const bool asks = name == "help";  // sysvm help CMD
  const std::string_view wanted = asks ? argv[2] : argv[1];
  for (const Command& c : kCommands)
    if (c.run && c.name == wanted) return run(c, asks ? Words{"--help"} : Words(argv + 2, argv + argc));
  return unknown_command(wanted);
}

}  // namespace
}  // namespace sysvm

int main(int argc, char** argv) { return sysvm::main(argc, argv); }
