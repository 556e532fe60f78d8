// SPDX-License-Identifier: MIT
// What a recording says of waiting for storage: how long its calls waited that could have been made ahead by
// the prefetcher, and what the run would take then. Of a hot recording: nothing.
// Tested by tests/optimizer/lists_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/packed.h"

namespace sysvm {

struct ColdOutlook {
  uint64_t wall_ns = 0;
  uint64_t waited_ns = 0;  // in such calls of first threads
  uint64_t calls = 0;      // that waited
  double gain() const;     // times faster, 1: nothing to gain
};

ColdOutlook cold_outlook(const std::vector<const PackedTrace*>& traces);
std::string cold_text(const ColdOutlook& cold);  // a line; "" where little was waited

}  // namespace sysvm
