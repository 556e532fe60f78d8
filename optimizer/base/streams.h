// SPDX-License-Identifier: MIT
// Stage 1: traces -> runs of calls that one thread made with nothing unknown in between.
//
// A sequence may only be learned where the recording is whole. So each thread's calls are cut where something
// may have happened that the recording or the shim does not follow: a hole in the thread's numbering (lost
// events), a delivered signal, fork, exec and exit, a call whose entry or return was not seen, a restarted
// call, an open by the dynamic loader (loader.h). Once a process has a second thread the shim makes only
// plain calls, so nothing is learned from it after that. Tested by tests/optimizer/streams_test.cc and
// dataflow_test.cc (Streams).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/packed.h"

namespace sysvm {

struct Stream {
  const PackedTrace* trace = nullptr;
  std::string exe;  // build-id of the executable in hexadecimal, "" if not known
  std::vector<const PackedEvent*> calls;

  const std::string& string(const PackedEvent& e, size_t which) const {
    return trace->strings[e.path(which)];
  }
};

struct StreamCounts {  // what was cut away or left out, for the report
  uint64_t calls = 0;
  uint64_t cuts = 0;
  uint64_t threaded = 0;  // calls of processes that had a second thread by then
};

// The traces must outlive the streams.
std::vector<Stream> split_into_streams(const std::vector<const PackedTrace*>& traces,
                                       StreamCounts* counts = nullptr);

}  // namespace sysvm
