// SPDX-License-Identifier: MIT
// What a recording is asked for, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tracer/call_table.h"
#include "tracer/spawn.h"

namespace sysvm {

enum class Backend { kAuto, kBpf, kPtrace };

struct RecordOptions {
  // Whom: a command, or (argv empty) one of the others.
  Command command;
  std::vector<int32_t> pids;
  std::string cgroup;
  bool all = false;  // everybody on this machine but us

  std::string output;  // created with mode 0600; an existing file is replaced only if it is a trace
  std::optional<Identity> owner;  // of the file; absent: us
  Backend backend = Backend::kAuto;
  std::string btf;  // a file with the running kernel's types, for where they are not at the usual place

  // What of it.
  CallSet wanted = CallSet().set();
  std::string filter;  // wanted, as the user wrote it; "": all
  Capture capture;
  bool hash_data = false;  // with capture.data_bytes: a keyed hash instead of the bytes. The key is not kept
  bool calibrate = true;   // measure what tracing adds to a call (takes some ms)

  // How much. 0: no limit.
  uint64_t max_ns = 0, max_bytes = 0;
  // flight recorder: keep only about the last so many; written at the end, and at SIGUSR1 to a file of its
  // own (output.1, output.2 ...)
  uint64_t window_ns = 0;

  // If the reader is late: hold the program back, or lose events and count them. Absent: hold back a command,
  // but not what ran before us.
  std::optional<bool> lossless;
  bool holds_back() const { return lossless.value_or(!command.argv.empty()); }
  // of each processor's ring: a power of two, at least RING_MIN; 0: as the machine is
  size_t ring_bytes = 0;
  int drain_interval_ms = 0;  // between two turns of emptying the rings; 0: as it should be. For tests
};

struct RecordReport {
  int wait_status = 0;  // of the command, as wait(2) gives it
  std::string backend;  // "bpf" or "ptrace"
  std::string note;     // why it is not the backend that was expected; "" if it is
  uint64_t calls = 0;   // kernel entries; a fork, which returns twice, is one
  uint64_t signals = 0, processes = 0, threads = 0;
  uint64_t events = 0;  // in the file: calls, signals, returns of forks in the child
  uint64_t lost = 0;
  uint64_t left_running = 0;  // threads that outlived the command
  uint64_t snapshots = 0;     // flight recorder: files written before the end
  uint64_t bytes = 0;         // size of the file
  uint64_t wall_ns = 0;       // command released to command ended
  uint64_t setup_ns = 0;      // load and attach
  uint64_t teardown_ns = 0;   // detach, last drain, close
  uint64_t call_cost_ns = 0;  // what tracing added to one call, 0: not measured
  // time in the eBPF programs by the kernel's account, from samples; 0: not measured
  uint64_t probe_ns = 0;
  uint64_t consumer_cpu_ns = 0;              // processor time of the recorder while the command ran
  uint64_t throttles = 0, throttled_ns = 0;  // threads held back so that nothing is lost
};

}  // namespace sysvm
