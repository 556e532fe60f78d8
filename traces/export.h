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
//   folded    "program;call;error nanoseconds" for flame graphs
// Tested by tests/traces/export_test.cc and tests/cli/export_test.py.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// Returns false if the text could not be written; the export ends then, without an error of its own.
using Output = std::function<bool(std::string_view)>;

// The result reports damage (TraceInfo::damage), as the reader does.
enum class StraceTimes { kMicroseconds, kNanoseconds };
Result<TraceInfo> export_strace(const std::string& path, const Output& out,
                                StraceTimes times = StraceTimes::kMicroseconds);
Result<TraceInfo> export_ndjson(const std::string& path, const Output& out);
Result<TraceInfo> export_perfetto(const std::string& path, const Output& out);
enum class FoldedWeight { kTime, kCount };
Result<TraceInfo> export_folded(const std::string& path, FoldedWeight weight, const Output& out);

// One event as export_ndjson writes it, without line feed.
std::string ndjson_header(const TraceInfo& info, uint64_t first_ns);
std::string ndjson_event(const TraceInfo& info, const Event& event);

}  // namespace sysvm
