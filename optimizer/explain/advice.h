// SPDX-License-Identifier: MIT
// What a recording says that a person should do, the best first: set TZ, do without xattrs, read with larger
// buffers - and let procedures make what can be made ahead. Each comes with what it would save by the costs
// of this machine. Calls that are made again and again with the same name and answer are worth more than any
// batching of them (docs/mining.md). Tested by tests/optimizer/advice_test.cc.
#pragma once

#include <string>
#include <vector>

#include "optimizer/base/cost.h"
#include "optimizer/mine/mine.h"

namespace sysvm {

struct Replay;

struct Advice {
  std::string text;
  uint64_t calls = 0;
  double saved_ns = 0;  // crossings and work
};

// At most three. procedures: what `sysvm compile` would make of it, null if it was not tried.
std::vector<Advice> advise(const MinePart& part, const CostModel& cost, const Replay* procedures);

}  // namespace sysvm
