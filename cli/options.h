// SPDX-License-Identifier: MIT
// A command's own options, with our manners: --help goes to standard output and ends with 0, a mistake to
// standard error and with 2. Only for our own options; a user's command is cut off before by split_args().
// CLI11 does the work, in options.cc alone: it takes seconds to compile.
// Tested by tests/cli/help_test.py.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "common/result.h"
#include "tracer/spawn.h"

namespace sysvm {

class Options {
 public:
  // usage: the first line of the help; text: what the command does, with an example.
  Options(const std::string& command, std::string usage, const std::string& text);
  ~Options();

  void flag(const std::string& names, bool& value, const std::string& help);  // names: "-q,--quiet"
  void option(const std::string& names, std::string& value, const std::string& help,
              const std::vector<std::string>& choices = {});
  // may be repeated
  void list(const std::string& names, std::vector<std::string>& values, const std::string& help);
  void option(const std::string& names, int& value, const std::string& help);
  void argument(const std::string& name, std::string& value, const std::string& help);  // required

  // at least one
  void arguments(const std::string& name, std::vector<std::string>& values, const std::string& help);

  // The exit code to return at once, or nothing if all is well.
  std::optional<int> parse(const Words& words);
  int usage_error(const std::string& what) const;  // says it and returns kExitUsage

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "16M", "64k", "4096": bytes, or nothing.
std::optional<size_t> parse_size(const std::string& text);
// "30s", "500ms", "5m", "2h", "10" (seconds): nanoseconds, or nothing.
std::optional<uint64_t> parse_duration(const std::string& text);

// Whom a command runs as: the user named, else who called sudo, else us (nothing).
Result<std::optional<Identity>> run_as(const std::string& user, bool as_root);

// Ends as the command ended: returns its exit status, or raises the signal that killed it, so that our caller
// sees what it would have seen without us.
int exit_like(int wait_status);

}  // namespace sysvm
