// SPDX-License-Identifier: MIT
// The options of `sysvm run`. Tested by tests/shim/entry/run.py and tests/cli/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libsysvm/run/start.h"

namespace sysvm {

struct RunOptions {
  ShimOptions shim;
  std::string stats;
  bool prefetch = false;        // until it costs nothing where it does not help (docs/benchmarks.md)
  unsigned prefetch_depth = 0;  // calls in flight, 0: by itself
  bool json = false, verbose = false, require = false, help = false;
  std::vector<std::string> command;
  std::string wrong;  // what is wrong with the words, or empty

  bool counted() const { return json || verbose || !stats.empty(); }
};

RunOptions parse_run_options(const std::vector<std::string>& words);

extern const std::string_view kRunHelp;

}  // namespace sysvm
