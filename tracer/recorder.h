// SPDX-License-Identifier: MIT
// Records a command, or a running process, into a trace file. What `sysvm record` and `sysvm try` call.
//
// The recording ends when the command itself has ended; descendants that outlive it are left alone and
// counted. Nothing is printed here, and standard output is never touched. Tested by tests/tracer/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "tracer/spawn.h"

namespace sysvm {

enum class Backend { kAuto, kBpf, kPtrace };

struct RecordOptions {
  Command command;  // argv empty: attach to pid
  int32_t pid = 0;
  std::string output;  // created with mode 0600; an existing file is replaced only if it is a trace
  Backend backend = Backend::kAuto;
  size_t ring_bytes = 16u << 20;
  bool calibrate = true;  // measure what tracing adds to a call (takes some ms)
};

struct RecordReport {
  int wait_status = 0;  // of the command, as wait(2) gives it
  std::string backend;  // "bpf" or "ptrace"
  std::string note;     // why it is not the backend that was expected; "" if it is
  uint64_t calls = 0;   // kernel entries; a fork, which returns twice, is one
  uint64_t signals = 0, processes = 0, threads = 0;
  uint64_t events = 0;  // in the file: calls, signals, returns of forks in the child
  uint64_t lost = 0;
  uint64_t left_running = 0;     // threads that outlived the command
  uint64_t bytes = 0;            // size of the file
  uint64_t wall_ns = 0;          // command released to command ended
  uint64_t setup_ns = 0;         // load and attach
  uint64_t teardown_ns = 0;      // detach, last drain, close
  uint64_t call_cost_ns = 0;     // what tracing added to one call, 0: not measured
  uint64_t consumer_cpu_ns = 0;  // processor time of the recorder while the command ran
};

// On an error, exit_code is what the tool should exit with: 125, or 126 and 127 if the command could not be
// run.
Result<RecordReport> record(const RecordOptions& options, int& exit_code);

}  // namespace sysvm
