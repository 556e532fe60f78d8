// SPDX-License-Identifier: MIT
// A command under the shim with this process beside it: `sysvm try`, and what comes after the runs that are
// counted.
// Tested by tests/shim/entry/run.py.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "libsysvm/run/command.h"
#include "libsysvm/run/start.h"
#include "libsysvm/shim/bundle/bundle.h"

namespace sysvm {

struct ProcedureStats {
  std::string name, mode;
  uint64_t hits, misses, undone, runs, off;
};

struct ShimStats {
  shim_stats raw{};  // plain calls are added to seen and forwarded
  std::vector<ProcedureStats> procedures;
  std::vector<std::string> unknown;  // object files that were not known; they are now
  struct Unseen {
    std::string path, why;
  };
  std::vector<Unseen> unseen;  // object files that make a process plain, whatever it does
};

const char* shim_reason_name(unsigned reason);  // "seccomp"; for JSON
const char* shim_reason_text(unsigned reason);  // "a seccomp filter is set"

// The counters in a statistics file, and its procedures' names. Objects that were met and not known are
// analysed and kept for the next run.
Result<ShimStats> read_stats(int file, const std::string& procedures, bool allow_seccomp);

// Bundle and statistics in memory that goes with this process, however it ends. As long as the object lives,
// any process that is started with environment() and command().path runs under the shim.
class ShimRun {
 public:
  static Result<ShimRun> prepare(const FoundCommand& command, const ShimOptions& options);

  // This process's environment with what loads the shim; without it if the command has to run plainly.
  std::vector<std::string> environment() const;
  // True: the C library cannot be patched, only calls through symbols are seen, and all are forwarded.
  bool by_symbols() const { return symbols_; }
  Result<ShimStats> stats() const { return read_stats(stats_.get(), svp_, allow_seccomp_); }

 private:
  ShimRun() = default;
  std::string svp_, library_;
  UniqueFd bundle_, stats_;
  bool plain_ = false, symbols_ = false, allow_seccomp_ = false;
};

}  // namespace sysvm
