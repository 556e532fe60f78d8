// SPDX-License-Identifier: MIT
// Counts the kernel entries of a command exactly, without shipping an event: one addition in the kernel for
// each.
//
// An entry is one syscall instruction executed by the process tree from the command's exec (that execve is
// the first) to the command's end. ld.so, sigreturn, restarts and every ioctl count; vDSO calls and page
// faults do not; a fork counts once although it returns twice; a call that a seccomp filter answers counts.
// Tested by tests/tracer/ against programs that count their own calls, and against a recording.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/result.h"
#include "tracer/event.h"
#include "tracer/recorder.h"

namespace sysvm {

struct CountOptions {
  Command command;
  Backend backend = Backend::kAuto;
  std::string
      site_file;  // "": none. Else entries are counted apart whose instruction lies in this file's mapping
                  // (a shared library that was mapped after the exec; threads that existed then excepted)
  bool times = false;  // errors, latencies and sequences too
  // Called every half second with what is counted so far; nothing: not called. BPF only.
  std::function<void(const struct EntryCounts&)> progress{};
  std::string btf{};  // as in RecordOptions
};

struct CallCount {
  int32_t nr = 0;  // -1: numbers past the table, and calls through the 32-bit table
  std::string name;
  uint64_t entries = 0;
  uint64_t inside = 0;  // of these, from the site file
  // With CountOptions::times:
  uint64_t errors = 0;
  uint64_t ns = 0;  // from entry to return, of those that returned
  // of those, how many took 2^i ... 2^(i+1) - 1 ns; the last: longer, too
  std::array<uint64_t, 32> slots{};
  uint64_t returned() const;
  // The time that this share of the calls did not exceed, to within its slot; 0: none returned.
  double quantile_ns(double share) const;
};

struct SequenceCount {
  std::array<int32_t, TRACE_GRAM> nrs{};  // -1: as in CallCount
  std::array<std::string, TRACE_GRAM> names;
  uint64_t count = 0;  // occurrences; they may overlap
};

struct ThreadCount {
  int32_t pid = 0, tid = 0;
  uint64_t entries = 0;
};

// One image of a process: what it made between its exec (or fork) and the next exec, or its end.
struct ImageCount {
  int32_t pid = 0;
  // As given to execve; of a fork's child that of its parent; "" if it is not known. At most 127 bytes.
  std::string path;
  uint64_t entries = 0, errors = 0, ns = 0;  // as in CallCount
};

struct EntryCounts {
  uint64_t entries = 0;
  uint64_t inside = 0;
  std::vector<CallCount> calls;          // most first
  std::vector<SequenceCount> sequences;  // calls in a row in one thread, most frequent first
  uint64_t sequences_lost = 0;           // calls after which there was no room for a new sequence
  // With CountOptions::times, in order of start. What had not ended, and with 16,384 images or more the
  // oldest, are missing: their entries are in `entries` and in none of these.
  std::vector<ImageCount> images;
  std::vector<ThreadCount> threads;  // that have ended, in order of tid
  uint64_t tasks = 0;                // threads seen
  uint64_t left_running = 0;  // threads that outlived the command; their entries until then are in entries
  uint64_t lost = 0;          // threads that could not be followed: the counts are too low if not 0
  int wait_status = 0;
  uint64_t wall_ns = 0;
  std::string backend;
  std::string note;  // why it is not the backend that was expected
};

// exit_code: as for record().
Result<EntryCounts> count_entries(const CountOptions& options, int& exit_code);

}  // namespace sysvm
