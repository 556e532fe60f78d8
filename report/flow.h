// SPDX-License-Identifier: MIT
// Which call follows which: a tree whose branches are the ways in which threads go on.
//
// A way begins where a thread turns to something else: a call with a path that is not the one of the call
// before, or one that makes a
// descriptor. The calls after it, up to the next beginning, are its branch; the same call several times in a
// row is one
// step. So "open, fstat, read x 3, close" is one branch, however many files were read so, and its width is
// what they took
// together. Tested by tests/report/facts_test.cc.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "traces/event.h"

namespace sysvm::page {

struct Step {
  uint32_t name = 0;  // into CallNames; kMore: the way goes on
  uint32_t parent = 0;
  uint64_t times = 0;  // ways that came to here
  uint64_t calls = 0;  // times, and those in a row
  uint64_t ns = 0;     // inside them
  bool operator==(const Step&) const = default;
};

class Flow {
 public:
  static constexpr uint32_t kMore = UINT32_MAX;
  void add(const TraceInfo& info, const Event& event, uint32_t name, std::string_view place);
  // [0] is the root, parents stand before children. Branches below `share` of both calls and time are left
  // out.
  std::vector<Step> steps(double share, size_t most) const;

 private:
  static constexpr size_t kDeepest = 12, kMostNodes = 100'000;
  struct Where {
    uint32_t node = 0, depth = 0;
    uint64_t place = 0;  // hash of what the way began with
  };
  uint32_t child(uint32_t parent, uint32_t name);
  std::vector<Step> nodes_{Step{}};
  std::unordered_map<uint64_t, uint32_t> children_;  // parent << 32 | name
  std::unordered_map<int32_t, Where> threads_;
};

}  // namespace sysvm::page
