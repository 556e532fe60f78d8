// SPDX-License-Identifier: MIT
// Text, imported and read back: what became of it in a form to compare. "?" stands for what the text does not
// show, "{...}" for a pointer that is shown by what it points to.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/traces/sample.h"
#include "traces/import.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {

struct Imported {
  ImportReport report;
  Trace trace;
  std::string lines;
};

inline Imported imported(const std::string& text, bool perf = false) {
  TempFile file;
  std::istringstream in(text);
  auto report = perf ? import_perf(in, "x.txt", file.path()) : import_strace(in, "x.txt", file.path());
  EXPECT_TRUE(report) << report.message();
  if (!report) return {};
  if (!report->events) return {*report, {}, {}};
  auto trace = read_trace(file.path());
  EXPECT_TRUE(trace) << trace.message();
  Imported out{*report, std::move(*trace), {}};
  for (const Event& e : out.trace.events) {
    out.lines += fmt::format("{}/{} {}", e.pid, e.tid, format_call(out.trace, e));
    if (!e.has(kSignal)) out.lines += " = " + format_result(out.trace, e);
    out.lines += e.has(kForkChild) ? " child\n" : "\n";
  }
  return out;
}

// The processes: "10<0 /bin/sh exec 0" is process 10, made by nobody seen, running /bin/sh by exec, status 0.
inline std::string processes(const Imported& got) {
  std::string out;
  for (const Process& p : got.trace.processes)
    out += fmt::format("{}<{} {} {} {}\n", p.pid, p.parent, p.exe.empty() ? "?" : p.exe,
                       p.execed ? "exec" : "fork", p.exit_status ? std::to_string(*p.exit_status) : "-");
  return out;
}

inline bool noted(const Imported& got, std::string_view words) {
  for (const std::string& note : got.report.notes)
    if (note.find(words) != std::string::npos) return true;
  return false;
}

inline uint64_t lost(const Imported& got) {
  uint64_t n = 0;
  for (const Loss& l : got.trace.losses) n += l.count;
  return n;
}

}  // namespace sysvm
