// SPDX-License-Identifier: MIT
// Which process made each process of a recording, and what the two share. The flags of clone3 are in memory
// that was not recorded, so a part of this follows from what happened then. Tested by
// tests/optimizer/replay_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "traces/packed.h"

namespace sysvm {

class Tasks {
 public:
  explicit Tasks(const PackedTrace& trace);
  // The child of vfork and the like: until its exec it runs in its parent's memory.
  bool shares_memory(const Process* image) const;
  uint64_t clone_flags(const PackedEvent& clone) const;

 private:
  bool waited_for_exec(const PackedEvent& clone) const;

  std::unordered_map<int32_t, const PackedEvent*> made_by_;
  std::unordered_set<int32_t> threads_;
  std::multimap<int32_t, uint64_t> execs_;
};

}  // namespace sysvm
