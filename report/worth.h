// SPDX-License-Identifier: MIT
// What procedures would have answered and saved in a recording: compiled from it, or from a file, and played
// past the shim's own code
// (optimizer/prove/replay.h). Tested by tests/report/facts_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "optimizer/base/cost.h"
#include "optimizer/explain/verdict.h"
#include "optimizer/prove/replay.h"
#include "traces/event.h"

namespace sysvm::page {

struct WorthOptions {
  bool off = false;
  std::string procedures;  // a procedure file; "": compile the recording
  CostModel cost;
  std::function<bool(const std::string& path, const std::string& build_id)> unseen;
};

// What a time becomes with the price of an entry: at() of any price.
struct Line {
  double at_zero = 0, slope = 0;
  double at(double crossing_ns) const { return at_zero + slope * crossing_ns; }
};

struct ProcedureWorth {
  ReplayedProcedure counts;
  std::string trigger;
  uint64_t followers = 0;
  Line saved_ns;  // without calls made in vain, which are in the sum of all
};

struct Worth {
  std::string why_not;  // "": known
  std::vector<ProcedureWorth> procedures;
  Replay replay;
  CostModel cost;
  Verdict verdict;
  Line kernel, user;           // saved by all, without what starting costs
  std::vector<uint8_t> fates;  // SpanFlag, for each event of the trace
};

Worth find_worth(const Trace& trace, const WorthOptions& options);

}  // namespace sysvm::page
