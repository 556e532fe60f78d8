// SPDX-License-Identifier: MIT
// -e of the commands that show calls (dump, stat): the sets that `record -e` takes (tracer/call_filter.h),
// and what only a recording or a count has: "signal", calls of i386's table, calls without a name here.
// Tested by tests/cli/dump_test.py and tests/tracer/cli_test.py.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "tracer/call_filter.h"
#include "traces/event.h"

namespace sysvm {

class EventFilter {
 public:
  static Result<EventFilter> make(const std::vector<std::string>& expressions);
  bool has(const TraceInfo& info, const Event& event) const;
  bool has(const std::string& name) const;  // "openat", "signal", "i386_open", "syscall_999"
  bool all() const { return all_; }

 private:
  CallSet calls_;
  std::set<std::string> others_;
  bool all_ = true, invert_ = false;
};

std::vector<std::string> split_at_commas(std::string text);

}  // namespace sysvm
