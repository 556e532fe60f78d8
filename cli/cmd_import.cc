// SPDX-License-Identifier: MIT
// sysvm import: what strace or perf script printed, as a trace. Tested by tests/cli/import_test.py.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "traces/import.h"

namespace sysvm {

int cmd_import(const Words& words) {
  std::vector<std::string> files;
  std::string format = "auto", output = "sysvm.trace";
  bool quiet = false;
  Options opts(
      "import", "usage: sysvm import [-o TRACE] [--format FORMAT] FILE...",
      "Turn the text of strace, or of perf script, into a trace that all\n"
      "commands read. FILE - is standard input; several are those of strace -ff.\n\n"
      "  strace -f -ttt -T -y -o x.txt CMD; sysvm import x.txt -o x.trace\n"
      "  perf record -e 'raw_syscalls:*' CMD; perf script -F comm,pid,tid,time,event,trace > x.txt; sysvm "
      "import x.txt\n");
  opts.arguments("FILE", files, "the text");
  opts.text("-o,--output FILE", output, "the trace; replaced if it is one [sysvm.trace]");
  opts.choice("--format", format, {"auto", "strace", "perf"}, "whose text it is [auto]");
  opts.flag("-q,--quiet", quiet, "no summary");
  if (auto code = opts.parse(words)) return *code;
  const std::string& file = files.front();
  if (files.size() > 1 && format == "perf") return opts.usage_error("several files are strace's alone");

  std::ifstream in;
  std::istringstream held;  // standard input cannot be rewound
  std::istream* text = &in;
  if (file == "-") {
    held.str(std::string(std::istreambuf_iterator<char>(std::cin), {}));
    text = &held;
  } else {
    in.open(file, std::ios::binary);
    if (!in) return fail(kExitUsage, "import", error("{}: cannot open: {}", file, strerror(errno)));
  }
  const ImportFormat guess = guess_import_format(*text);
  if (format == "auto") {
    if (guess == ImportFormat::kUnknown || guess == ImportFormat::kPerfTrace) {
      const char* why =
          guess == ImportFormat::kUnknown
              ? "neither strace's text nor perf script's of raw_syscalls (no line is a call); no trace was "
                "written"
              : "perf trace's text lacks what a trace needs; record with perf record -e 'raw_syscalls:*' and "
                "import what perf script prints";
      return fail(kExitUsage, "import", error("{}: {}", file, why));
    }
    format = guess == ImportFormat::kStrace ? "strace" : "perf";
  }
  const auto report = files.size() > 1     ? import_strace_files(files, output)
                      : format == "strace" ? import_strace(*text, file, output)
                                           : import_perf(*text, file, output);
  if (!report) return fail(kExitToolFailed, "import", report.error());
  if (!report->events) {
    log_error("import: {}: no call in {} lines was understood; no trace was written", file, report->lines);
    for (const std::string& line : report->examples) log_error("import: {}: {}", file, line);
    return kExitUsage;
  }
  if (!quiet)
    fmt::print(stderr, "sysvm: imported {} events from {} lines into {}\n", report->events, report->lines,
               output);
  for (const std::string& note : report->notes)
    if (!quiet) log_info("import: {}: {}", file, note);
  if (report->not_understood) {
    log_warning("import: {}: {} lines were not understood and left out", file, report->not_understood);
    for (const std::string& line : report->examples) log_warning("import: {}: {}", file, line);
  }
  return 0;
}

}  // namespace sysvm
