// SPDX-License-Identifier: MIT
// FILE... of the commands that read recordings: all of them in memory, damage told on standard error.
#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

class TraceFiles {
 public:
  static Result<TraceFiles> read(const std::vector<std::string>& paths);
  std::vector<const Trace*> pointers() const;

 private:
  std::deque<Trace> traces_;
};

// Parses words; returns -1 to go on, else the exit status (help was printed, or the command line is wrong).
int parse_words(CLI::App& app, const Words& words);

}  // namespace sysvm
