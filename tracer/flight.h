// SPDX-License-Identifier: MIT
// The flight recorder: keeps the last records in memory as they came, and makes a file of them when asked.
//
// What leaves the window goes through a sink without a file, which remembers the processes that live and
// where their code lies; a snapshot begins with that. Memory is bounded: beyond max_bytes the window is
// shorter.
// Tested by tests/tracer/.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "tracer/record_sink.h"

namespace sysvm {

class Flight {
 public:
  Flight(uint64_t window_ns, size_t max_bytes) : window_ns_(window_ns), max_bytes_(max_bytes) {}

  RecordSink& before() { return before_; }  // all that is older than the window
  // Takes a block of records (bpf_records.h).
  void add(std::vector<uint8_t> block, uint64_t now_ns);
  // Everything in the window, into a file that is just begun. The sink that wrote it, for its totals.
  RecordSink write(TraceWriter& writer) const;
  uint64_t bad_records() const { return bad_; }

 private:
  struct Kept {
    uint64_t until_ns;
    std::vector<uint8_t> block;
  };
  const uint64_t window_ns_;
  const size_t max_bytes_;
  RecordSink before_;
  std::deque<Kept> kept_;
  size_t bytes_ = 0;
  uint64_t bad_ = 0;
};

}  // namespace sysvm
