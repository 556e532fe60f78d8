// SPDX-License-Identifier: MIT
// Reads a trace file. A damaged or cut file is no error: everything before the damage is returned, and
// TraceInfo::damage says what is wrong and where ("x.trace: byte 4711: record of 90 bytes is cut after 12").
// An error means that there is nothing to return: no such file, not a trace, another version.
//
// Nothing in the file is trusted: sizes are limited before memory is taken, every index is checked.
// Tested by tests/traces/ (cut at every byte, random bit flips).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// Everything, in memory: about 150 bytes for each event. Chunks are decoded by that many threads; 0: by as
// many as there are processors, at most 8.
Result<Trace> read_trace(const std::string& path, unsigned threads = 0);

// All but the events. With the index of a closed file only a few places of it are touched, so a chunk's
// damage is not noticed.
Result<TraceInfo> read_trace_info(const std::string& path);

// One chunk after the other in file order (each sorted in itself; neighbours overlap by the longest call).
// The columns and info.strings, which Columns::path are indices into, are this chunk's and live until the
// visitor returns: memory does not grow with the file. Decoded by that many threads (0: as read_trace),
// visited by one, in order. Return false to stop. The TraceInfo is whole only at the end.
using ChunkVisitor = std::function<bool(Columns& columns, const TraceInfo& info)>;
Result<TraceInfo> for_each_chunk(const std::string& path, const ChunkVisitor& visit, unsigned threads = 1);

// All chunks joined; not sorted across chunks.
struct ColumnTrace : TraceInfo {
  Columns columns;
};
Result<ColumnTrace> read_columns(const std::string& path, unsigned threads = 0);

// Random access: any chunk, at the price of that chunk.
struct ChunkRef {
  uint64_t offset = 0;                 // of its frame
  uint64_t first_ns = 0, last_ns = 0;  // entry of its first and its last event
  uint32_t events = 0;
};

class TraceFile {
 public:
  static Result<TraceFile> open(const std::string& path);
  TraceFile(TraceFile&&) noexcept;
  ~TraceFile();
  const TraceInfo& info() const;  // without strings
  const std::vector<ChunkRef>& chunks() const;
  // Columns::path are indices into strings.
  Result<> read(size_t chunk, Columns& columns, std::vector<std::string>& strings);

 private:
  struct Impl;
  explicit TraceFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sysvm
