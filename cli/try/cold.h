// SPDX-License-Identifier: MIT
// `sysvm try --cold`: what the prefetcher is worth to a command whose files are not in memory. Plain runs and
// runs under `sysvm run --prefetch=auto` take turns, each after the caches were dropped; all outputs are
// compared. The list that the prefetcher goes by comes from one more run, recorded, from dropped caches too.
//
// Root drops the machine's caches. Who is not drops the contents of the files that the recording names
// (POSIX_FADV_DONTNEED); directories and inodes stay, which the report says. Tested by
// tests/cli/try_cold_test.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/try/runs.h"
#include "common/result.h"

namespace sysvm {

struct ColdReport {
  std::vector<std::string> command;
  std::vector<double> plain_ms, prefetch_ms;                           // in order of the rounds
  double plain_cpu_ms = 0, command_cpu_ms = 0, prefetcher_cpu_ms = 0;  // medians; of the counted run
  std::string counters;  // what the prefetcher did, as JSON (`sysvm run --stats`)
  bool machine = false;  // the machine's caches were dropped
  uint64_t items = 0;    // of lists, in the procedure file
  double predicted = 1;  // gain, of the recorded run
  std::optional<bool> identical;
  std::string reason;
  int wait_status = 0;  // of the first run

  double gain() const;
};

// exit_code: what to exit with if there is an error.
Result<ColdReport> try_cold(const std::vector<std::string>& command, uint64_t rounds, TryRuns& runs,
                            int& exit_code);

std::string to_table(const ColdReport& report, size_t width);  // width: columns
std::string to_json(const ColdReport& report);                 // schema 1

}  // namespace sysvm
