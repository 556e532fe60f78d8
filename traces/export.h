// SPDX-License-Identifier: MIT
// A trace in the formats of other tools. Each export streams: memory does not grow with the trace.
//
//   strace    what strace -f -ttt -T -o writes; read by strace's users' scripts, by strace-log-merge, by
//             Perfetto,
//             and by our own import. They expect microseconds; with nanoseconds, import gives back the same
//             times
//   ndjson    one JSON object on a line; schema: traces/ndjson.schema.json
//   perfetto  protobuf for the Perfetto UI: a track for each thread, a slice for each call, losses on a track
//             of
//             their own and as marks where a thread's numbering has a hole
//   folded    "program;caller;call site;call;error nanoseconds" for flame graphs
// Tested by tests/traces/export_test.cc and tests/cli/export_test.py.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// Returns false if the text could not be written; the export ends then, without an error of its own.
using Output = std::function<bool(std::string_view)>;

// The result reports damage (TraceInfo::damage), as the reader does.
enum class StraceTimes { kMicroseconds, kNanoseconds };
// paths: as strace -y, what descriptors were opened as: read(3</etc/passwd>, ...).
Result<TraceInfo> export_strace(const std::string& path, const Output& out,
                                StraceTimes times = StraceTimes::kMicroseconds, bool paths = false);
Result<TraceInfo> export_ndjson(const std::string& path, const Output& out);

// Calls that a procedure would have taken together: from the one that it begins at to the last that it
// answers.
struct ProcedureRun {
  int32_t pid = 0, tid = 0;
  uint64_t from_ns = 0, to_ns = 0;
  uint64_t answered = 0;  // calls without an entry of their own
  std::string name;       // the call that it begins at
};
// runs: in order of from_ns; shown on a track beside each thread's.
Result<TraceInfo> export_perfetto(const std::string& path, const Output& out,
                                  const std::vector<ProcedureRun>& runs = {});

// frames: between program and call, where they are known: what called it, and the instruction that entered
// the
// kernel, as file and offset.
enum class FoldedWeight { kTime, kCount };
Result<TraceInfo> export_folded(const std::string& path, FoldedWeight weight, const Output& out,
                                bool frames = true);

// One event as export_ndjson writes it, without line feed.
std::string ndjson_header(const TraceInfo& info, uint64_t first_ns);
std::string ndjson_event(const TraceInfo& info, const Event& event);

}  // namespace sysvm
