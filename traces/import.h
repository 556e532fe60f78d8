// SPDX-License-Identifier: MIT
// Text of other tracers to a trace file.
//
// strace: what `strace -f -o FILE` wrote, with or without -t -tt -ttt -r -T -i -n -y -yy -Y -k, any -s and
// -v; unfinished and resumed calls are joined, the flags of a clone say whether it made a child or a thread.
// perf: what `perf script` prints of raw_syscalls:sys_enter and sys_exit. The result is the model that the
// recorder makes (event.h), with what text lacks left open: what it does not show is flagged as unknown
// (kUnknownArg0 ...), never guessed at, and there are no call sites and no mappings. Lines that are not
// understood are counted, the first of them quoted, and written as a loss, so that no trace claims to be
// complete. Text without any event makes no trace.
// Tested by tests/traces/import_test.cc, import_pasted_test.cc and tests/cli/import_test.py.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

struct ImportReport {
  uint64_t lines = 0;
  uint64_t events = 0;
  uint64_t not_understood = 0;        // lines
  std::vector<std::string> examples;  // of these, "line 17: ...", at most five
  std::vector<std::string> notes;     // what the text lacks, in words
};

// name is for messages only. The output is created as TraceWriter::create does; "": the text is only looked
// through.
Result<ImportReport> import_strace(std::istream& text, const std::string& name, const std::string& output);
// The files of strace -ff, one for each process, named NAME.PID; put in order by the times in them (-ttt,
// -tt).
Result<ImportReport> import_strace_files(const std::vector<std::string>& names, const std::string& output);
Result<ImportReport> import_perf(std::istream& text, const std::string& name, const std::string& output);

bool is_perf_script_line(std::string_view line);

enum class ImportFormat { kUnknown, kStrace, kPerfScript, kPerfTrace };
ImportFormat guess_import_format(std::istream& text);  // reads the first lines and rewinds

}  // namespace sysvm
