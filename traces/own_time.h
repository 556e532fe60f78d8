// SPDX-License-Identifier: MIT
// The program's own time. A lossless recording holds threads back now and then (Throttle), which lengthens
// the time between two calls: a program thinks there for longer than it would. Whatever asks how long
// something took or lay between two calls of a thread asks here.
//
// Only what was held is taken out, not what tracing adds to each call (TraceHeader::call_cost_ns): that is
// within the calls as well as between them. Tested by tests/traces/own_time_test.cc and
// tests/optimizer/replay_test.cc.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "traces/event.h"

namespace sysvm {

class OwnTime {
 public:
  explicit OwnTime(const TraceInfo& info);  // keeps nothing of it
  // The moment on a clock of the thread's that stands still while it is held.
  uint64_t at(int32_t tid, uint64_t ts_ns) const { return ts_ns - held(tid, ts_ns); }
  uint64_t held(int32_t tid, uint64_t until_ns) const;  // all before that moment

 private:
  struct Interval {
    uint64_t from_ns, to_ns;
    uint64_t before_ns;  // length of all earlier ones
  };
  std::unordered_map<int32_t, std::vector<Interval>> held_;
};

// How long the recording took, without the time for which a thread of it was held (threads held at the same
// moment count once) and without what tracing added to each of its calls. first and last are used if the file
// does not say.
uint64_t own_wall_ns(const TraceInfo& info, uint64_t calls, uint64_t first_ns, uint64_t last_ns);

}  // namespace sysvm
