// SPDX-License-Identifier: MIT
// Whose text it is, by the shape of its lines and not by words in them: a log of strace may well mention
// perf's tracepoints, and the other way round. Tested by tests/traces/import_test.cc.
#include "traces/import.h"
#include "traces/strace_args.h"
#include "traces/strace_lines.h"
#include "traces/strace_prefix.h"

namespace sysvm {

namespace {

constexpr int kLines = 2000;  // what stands in front of the first call, at most: a program's own output, say

bool is_strace_line(std::string_view line) {
  const auto prefix = take_strace_prefix(line);
  if (!prefix || !prefix->event_follows()) return false;
  if (prefix->rest.starts_with("+++ ")) return line.ends_with(" +++");
  if (prefix->rest.starts_with("--- ")) return line.ends_with(" ---");
  if (prefix->rest.starts_with("<... ")) return line.find(" resumed>") != std::string_view::npos;
  return line.ends_with("<unfinished ...>") || whole_strace_call(prefix->rest);
}

// "     0.000 ( 0.007 ms): ls/1234 close(fd: 3) = 0"
bool is_perf_trace_line(std::string_view line) {
  skip_blanks(line);
  if (!take_seconds(line)) return false;
  skip_blanks(line);
  return take(line, "(") && line.find(" ms): ") != std::string_view::npos;
}

}  // namespace

ImportFormat guess_import_format(std::istream& text) {
  ImportFormat found = ImportFormat::kUnknown;
  std::string held;
  for (int i = 0; i < kLines && found == ImportFormat::kUnknown && std::getline(text, held); ++i) {
    std::string_view line = held;
    if (i == 0) take(line, "\xef\xbb\xbf");
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (is_strace_line(line))
      found = ImportFormat::kStrace;
    else if (is_perf_script_line(line))
      found = ImportFormat::kPerfScript;
    else if (is_perf_trace_line(line))
      found = ImportFormat::kPerfTrace;
  }
  text.clear();
  text.seekg(0);
  return found;
}

}  // namespace sysvm
