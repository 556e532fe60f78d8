// SPDX-License-Identifier: MIT
// Calls, errors and times by call: strace -c's table, and the report's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "traces/event.h"

namespace sysvm {

class CallSummary {
 public:
  struct Row {
    uint64_t calls = 0, errors = 0, total_ns = 0, shortest_ns = UINT64_MAX, longest_ns = 0;
    // calls by duration: 64 bins to each power of two, below 128 ns one for each ns
    std::vector<uint64_t> bins = {};
    uint64_t quantile_ns(double share) const;  // right within half a bin, 0.8 %; one call's is its own
  };
  void add(const Event& event);  // signals and a child's return from fork are no calls
  // By total time, the longest first. -2 stands for all 32-bit calls.
  std::vector<std::pair<int32_t, Row>> rows() const;
  std::string text(const TraceInfo& info) const;

 private:
  std::map<int32_t, Row> rows_;
};

std::string summary_name(const TraceInfo& info, int32_t nr);

}  // namespace sysvm
