// SPDX-License-Identifier: MIT
// A part of a recording, chosen while it is read: what is left out never becomes a row.
//
// Whether a call is about a path may depend on what its descriptor was opened as, so a pattern is asked about
// each call in order, of all of
// them; the other conditions look at a chunk's columns alone. Tested by tests/python/test_filter.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "traces/reader.h"

namespace sysvm {

struct TraceFilter {
  std::optional<std::vector<std::string>> calls;  // names
  std::optional<std::vector<int32_t>> pids;       // processes or threads
  std::optional<double> from_s, to_s;             // seconds since the first event, the end excluded
  std::optional<std::string> path;                // *, ?, [...]: of `path`, or of `fd_path`

  bool any() const { return calls || pids || from_s || to_s || path; }
};

// strings are those of the rows that are left.
Result<ColumnTrace> read_filtered(const std::string& file, const TraceFilter& filter);

// The names of the calls that a recording has, for a message.
std::vector<std::string> calls_of(const std::string& file);

}  // namespace sysvm
