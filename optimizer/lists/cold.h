// SPDX-License-Identifier: MIT
// How long a recorded program waited for storage in calls that the prefetcher could have made ahead, and how
// long the run would take then. Nothing for a recording made with hot caches. Tested by
// tests/optimizer/lists_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/packed.h"

namespace sysvm {

struct ColdOutlook {
  uint64_t wall_ns = 0;
  uint64_t waited_ns = 0;  // in such calls of first threads, beyond what they take hot
  uint64_t names_ns = 0;   // of it: for names and directories, not for contents of files
  uint64_t calls = 0;      // that waited
  double gain() const;     // times faster, 1: nothing to gain
};

ColdOutlook cold_outlook(const std::vector<const PackedTrace*>& traces);
std::string cold_text(const ColdOutlook& cold);  // a line; "" where little was waited

}  // namespace sysvm
