// SPDX-License-Identifier: MIT
// FILE... of the commands that read recordings: all of them in memory, damage reported on standard error.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "cli/base/options.h"
#include "cli/data_output.h"
#include "common/result.h"
#include "optimizer/base/cost.h"
#include "traces/packed.h"

namespace sysvm {

class TraceFiles {
 public:
  static Result<TraceFiles> read(const std::vector<std::string>& paths, bool warn = true);
  std::vector<const PackedTrace*> pointers() const;
  uint64_t calls() const;

 private:
  std::deque<PackedTrace> traces_;
};

void warn_about(const std::string& path, const TraceInfo& trace);  // damage, losses
void warn_empty(const std::string& path);

// --costs FILE and --crossing NS: what calls cost here, or would elsewhere.
struct CostOptions {
  std::string file;
  double crossing_ns = 0;
  void add_to(Options& options);
  Result<CostModel> get() const;
};

// Wall time of the recordings, with what tracing added taken out; 0 if it is not known.
uint64_t wall_ns(const std::vector<const PackedTrace*>& traces);

// Objects with system calls that the shim does not see, by the analysis that `sysvm run` makes.
std::function<bool(const std::string& path, const std::string& build_id)> unseen_objects();

// How a command ends that read a trace: what is wrong with it is reported, after what was read has been
// printed. so_far: "all before it was printed". Returns the exit code.
int finish(const char* command, const Result<TraceInfo>& info, const char* so_far);
int finish(const char* command, const Result<TraceInfo>& info, DataOutput& out, const char* so_far);

}  // namespace sysvm
