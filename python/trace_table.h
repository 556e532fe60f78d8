// SPDX-License-Identifier: MIT
// A trace as the columns that Python sees: sorted by time, calls and strings as codes into lists of distinct
// names.
//
// Problem: a Python object for each event costs a thousand times what the event cost to read. Idea:
// everything that grows with the number of events stays in C++ vectors, which numpy reads without a copy;
// Python gets one string for each *distinct* call name and path. It does not filter or aggregate: pandas
// does. Tested by tests/python/test_trace.py.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "python/trace_filter.h"
#include "traces/reader.h"

namespace sysvm {

struct TraceTable {
  ColumnTrace trace;                         // columns sorted by ts_ns; within a thread by seq
  std::vector<int16_t> call;                 // index into call_names
  std::vector<std::string> call_names;       // distinct; a delivered signal is "signal"
  std::array<std::vector<int32_t>, 2> path;  // index into strings, -1: none
  std::vector<int32_t> data;                 // likewise
  std::vector<std::string> strings;          // distinct, bytes as the program passed them

  // Made when first asked for (add_context): what a row's numbers stand for. -1: not known, or none.
  struct Names {
    std::vector<int32_t> code;
    std::vector<std::string> names;  // distinct
  };
  bool has_context = false;
  // the image that ran; what the first descriptor was opened as; file and offset of the call
  Names exe, fd_path, site;
  std::vector<int16_t> error;  // errno, 0: none
  // Rows were left out when it was read (trace_filter.h): what theirs tell of descriptors is read again from
  // the file.
  std::string source;

  size_t size() const { return call.size(); }
};

Result<> add_context(TraceTable& table);

Result<TraceTable> load_trace_table(const std::string& path, const TraceFilter& filter = {});
Result<TraceTable> make_trace_table(ColumnTrace trace, const std::string& path);  // path: for messages

}  // namespace sysvm
