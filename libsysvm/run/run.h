// SPDX-License-Identifier: MIT
// Runs a command under the shim; `sysvm run` and `sysvm try` use it.
// Tested by tests/shim/entry/run.py.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "libsysvm/run/command.h"
#include "libsysvm/shim/bundle.h"
#include "libsysvm/sysvm.h"

namespace sysvm {

struct ShimOptions {
  std::string procedures;  // path of a procedure file, or empty: every call is forwarded
  enum ::sysvm_engine engine = SYSVM_ENGINE_AUTO;
  bool strict = false;  // no late close
  uint32_t age_ms = 10;
  bool relaxed_age = false;  // what was fetched ahead survives other calls that only look
  bool allow_seccomp = false;
  bool symbols = false;  // interpose by symbol even where the C library could be patched: every call is forwarded
};

struct ProcedureStats {
  std::string name, mode;
  uint64_t hits, misses, undone, runs, off;
};

struct ShimStats {
  shim_stats raw{};  // plain calls are added to seen and forwarded
  std::vector<ProcedureStats> procedures;
  std::vector<std::string> unknown;  // object files that were not known; they are now
};

const char* shim_reason_name(unsigned reason);  // "seccomp"; for JSON
const char* shim_reason_text(unsigned reason);  // "a seccomp filter is set"

// The contents of a procedure file that svp_check accepts; empty path: empty.
Result<std::string> check_procedures(const std::string& path);

// A private folder with bundle and statistics file. As long as it lives, any process that is started with
// environment() and command().path runs under the shim. The folder goes with the object.
class ShimRun {
 public:
  static Result<ShimRun> prepare(const FoundCommand& command, const ShimOptions& options);
  ShimRun(ShimRun&&) noexcept;
  ShimRun& operator=(ShimRun&&) = delete;
  ~ShimRun();

  // This process's environment with what loads the shim; without it if the command has to run plainly.
  std::vector<std::string> environment() const;
  // True: the C library cannot be patched, only calls through symbols are seen, and all are forwarded.
  bool by_symbols() const { return symbols_; }
  // Counters so far. Objects that were met and not known are analysed and kept for the next run.
  Result<ShimStats> stats() const;

 private:
  ShimRun() = default;
  std::string folder_, svp_, library_;
  bool plain_ = false, symbols_ = false, allow_seccomp_ = false;
};

struct Streams {  // -1: this process's own
  int in = -1, out = -1, err = -1;
  std::string folder;  // working directory, or empty: this process's own
};

struct ExitStatus {
  int wait_status = 0;  // as waitpid gives it
  int exec_errno = 0;   // the command could not be executed
  double wall_ms = 0;
};

// Starts words[0] as path and waits. Signals that end a terminal's job are left to the command; SIGTERM and SIGHUP
// are handed on to it.
Result<ExitStatus> run_command(const std::string& path, const std::vector<std::string>& words,
                               const std::vector<std::string>& environment, const Streams& streams = {});

}  // namespace sysvm
