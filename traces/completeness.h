// SPDX-License-Identifier: MIT
// Proves that a trace has every call, or finds where some are missing.
//
// Each thread numbers its events from 0, also those that are lost, and a ThreadEnd says how far it came. So
// the numbers that no event carries are the missing ones, and the events around them say between when.
// Tested by tests/traces/completeness_test.cc.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "traces/event.h"

namespace sysvm {

struct Gap {
  int32_t tid = 0;
  int32_t pid = 0;
  uint64_t count = 0;
  uint64_t from_ns = 0, to_ns = 0;  // return of the event before, entry of the one after; 0: there is none
};

class Completeness {
 public:
  // Chunk by chunk, in file order (for_each_chunk).
  void add(const Columns& columns);
  // After the last one.
  void finish(const TraceInfo& info);

  const std::vector<Gap>& gaps() const { return gaps_; }  // in order of time
  uint64_t missing() const { return missing_; }
  uint64_t threads() const { return lives_.size(); }
  // threads of which the trace does not say how far they came
  uint64_t open_ends() const { return open_ends_; }
  // Nothing lost, nothing missing, and everything that proves it is there.
  bool proven(const TraceInfo& info) const;

 private:
  struct Life {  // of a thread; its id may be used again
    int32_t tid, pid;
    uint32_t next;     // one past the last number seen
    uint64_t last_ns;  // return of that event
  };
  void gap(int32_t tid, int32_t pid, uint64_t count, uint64_t from_ns, uint64_t to_ns);

  std::vector<Life> lives_;                  // in order of their first event
  std::unordered_map<int32_t, size_t> now_;  // tid -> the life that it is in
  std::vector<Gap> gaps_;
  uint64_t missing_ = 0, open_ends_ = 0;
};

}  // namespace sysvm
