// SPDX-License-Identifier: MIT
// FILE... of the commands that read recordings: all of them in memory, damage told on standard error.
#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "common/result.h"
#include "optimizer/base/cost.h"
#include "traces/event.h"

namespace sysvm {

class TraceFiles {
 public:
  static Result<TraceFiles> read(const std::vector<std::string>& paths, bool warn = true);
  std::vector<const Trace*> pointers() const;

 private:
  std::deque<Trace> traces_;
};

void warn_about(const std::string& path, const TraceInfo& trace);  // damage, losses
void warn_empty(const std::string& path);

// --costs FILE and --crossing NS: what calls cost here, or would elsewhere.
struct CostOptions {
  std::string file;
  double crossing_ns = 0;
  void add_to(CLI::App& app);
  Result<CostModel> get() const;
};

// Wall time of the recordings, with what tracing added taken out; 0 if it is not known.
uint64_t wall_ns(const std::vector<const Trace*>& traces);

// Objects with system calls that the shim does not see, by the analysis that `sysvm run` makes.
std::function<bool(const std::string& path, const std::string& build_id)> unseen_objects();

// Parses words; returns -1 to go on, else the exit status (help was printed, or the command line is wrong).
int parse_words(CLI::App& app, const Words& words);

}  // namespace sysvm
