// SPDX-License-Identifier: MIT
// The options of `sysvm run`. Tested by tests/shim/entry/run.py and tests/cli/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libsysvm/run/start.h"

namespace sysvm {

struct RunOptions {
  ShimOptions shim;
  std::string stats;
  bool prefetch = false;        // until it costs nothing where it does not help (docs/benchmarks.md)
  unsigned prefetch_depth = 0;  // calls in flight, 0: by itself
  bool json = false, verbose = false, require = false;
  std::vector<std::string> command;

  bool counted() const { return json || verbose || !stats.empty(); }
};

// The exit code to return at once (the help was printed, or a word is wrong), or nothing.
std::optional<int> parse_run_options(const std::vector<std::string>& words, RunOptions& options);

}  // namespace sysvm
