// SPDX-License-Identifier: MIT
// Traces -> lists for the prefetcher (procedures/svp_lists.h): for each program that was executed, what it
// looked up and read, in order, each path once.
//
// Sizes and mtimes are those of the files now, and links on the way are resolved now: a list is made where
// and soon after it was recorded. What has been removed since is left out or only looked up. A program that
// visits what directories hold in the order of their dirents needs no list: the prefetcher guesses that
// (libsysvm/prefetch). The recording does not say which pages of a mapped file were touched. Those that lie
// in memory now are taken, which is right soon after a recording from cold caches. What further threads of a
// process do is left out: a program that uses threads for its files waits for many at once already (git), and
// one more process that does so would only take processor time from them. Tested by
// tests/optimizer/lists_test.cc.
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
