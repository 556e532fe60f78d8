// SPDX-License-Identifier: MIT
// Reads a trace file. A damaged or cut file is no error: everything before the damage is returned, and
// TraceInfo::damage says what is wrong and where ("x.trace: byte 4711: record of 90 bytes is cut after 12").
// An error means that there is nothing to return: no such file, not a trace, another version.
//
// Nothing in the file is trusted: sizes are limited before memory is taken, every index is checked.
// Tested by tests/traces/ (cut at every byte, random bit flips).
#pragma once

#include <functional>
#include <string>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// Everything, in memory: about 150 bytes for each event.
Result<Trace> read_trace(const std::string& path);

// All but the events, at the price of a scan over the file without decompressing.
Result<TraceInfo> read_trace_info(const std::string& path);

// One chunk after the other in file order (each sorted in itself; neighbours overlap by the longest call).
// The columns are the callee's until it returns; Columns::path are indices into strings of info, which grows
// from chunk to chunk. Return false to stop. The TraceInfo is whole only at the end.
using ChunkVisitor = std::function<bool(Columns& columns, const TraceInfo& info)>;
Result<TraceInfo> for_each_chunk(const std::string& path, const ChunkVisitor& visit);

// All chunks joined; not sorted across chunks.
struct ColumnTrace : TraceInfo {
  Columns columns;
};
Result<ColumnTrace> read_columns(const std::string& path);

}  // namespace sysvm
