// SPDX-License-Identifier: MIT
// Traces -> lists for the prefetcher (procedures/svp_lists.h): of each program that was executed, what it
// looked at and read, in order, each path once.
//
// Sizes and mtimes are those of the files now, and links on the way are resolved now: a list is made where
// and soon after it was recorded. What has gone since is left out or only looked at. A program that looks at
// what directories hold in the order of their dirents needs no list: that is guessed (libsysvm/prefetch).
// Of files that were mapped the recording does not say which pages were touched; those that lie in memory
// now are taken, which is right soon after a recording from cold caches.
// What further threads of a process do is left out: who uses threads to look at files waits for many at once
// already (git), and one more process that does so only takes processor time from them.
// Tested by tests/optimizer/lists_test.cc.
#pragma once

#include <string>
#include <vector>

#include "procedures/procedure.h"
#include "traces/packed.h"

namespace sysvm {

struct DroppedList {
  std::string name, reason;
};

std::vector<PrefetchList> lists_of(const std::vector<const PackedTrace*>& traces,
                                   std::vector<DroppedList>* dropped = nullptr);

// As struct svp_list has it.
uint64_t command_checksum(const std::vector<std::string>& argv);

// A call that took longer than this has waited; what it took beyond it is the waiting.
constexpr uint64_t kWaitNs = 30'000;

}  // namespace sysvm
