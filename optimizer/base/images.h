// SPDX-License-Identifier: MIT
// Which program a process ran at a moment. A process number is an image from fork on, another one from each
// exec on; a fork's child runs what its parent ran. Tested by tests/optimizer/streams_test.cc and
// replay_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "traces/event.h"

namespace sysvm {

class Images {
 public:
  explicit Images(const TraceInfo& trace);
  const std::vector<const Process*>& of(int32_t pid) const;  // in order of start
  const Process* at(int32_t pid, uint64_t ts_ns) const;      // null: none had started
  const std::string& build_id(const Process* image) const;   // "": not known
  const std::string& exe(const Process* image) const;        // path; "": not known

 private:
  const Process* parent(const Process* image) const { return at(image->parent, image->start_ns); }
  std::unordered_map<int32_t, std::vector<const Process*>> images_;
};

}  // namespace sysvm
