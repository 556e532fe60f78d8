// SPDX-License-Identifier: MIT
// sysvm export: a trace in the formats of other tools, to standard output or a file.
// Tested by tests/cli/export_test.py.
#include "cli/base/fail.h"
#include "cli/base/options.h"
#include "cli/data_output.h"
#include "cli/traces_argument.h"
#include "common/did_you_mean.h"
#include "traces/export.h"

namespace sysvm {

int cmd_export(const Words& words) {
  std::string format, file, output;
  bool count = false, nanoseconds = false;
  Options opts(
      "export", "usage: sysvm export [options] FORMAT TRACE",
      "Write a trace for other tools: strace (its text), perfetto (open it at ui.perfetto.dev), ndjson (one\n"
      "JSON object on a line), folded (stacks for flame graphs).\n\n"
      "  sysvm export perfetto sysvm.trace -o sysvm.pftrace\n"
      "  sysvm export folded sysvm.trace | flamegraph.pl > sysvm.svg\n");
  opts.argument("FORMAT", format, "strace, perfetto, ndjson or folded");
  opts.argument("TRACE", file, "file of 'sysvm record' or 'sysvm import'");
  opts.text("-o,--output FILE", output, "the file to write [standard output]");
  opts.flag("--ns", nanoseconds, "strace: times in nanoseconds, which import reads but few others");
  opts.flag("-c,--count", count, "folded: weigh calls by number and not by time");
  if (auto code = opts.parse(words)) return *code;
  if (format != "strace" && format != "perfetto" && format != "ndjson" && format != "folded")
    return opts.usage_error(
        "format '" + format + "': expected strace, perfetto, ndjson or folded" +
        did_you_mean(format, std::vector<std::string>{"strace", "perfetto", "ndjson", "folded"}));
  if (count && format != "folded") return opts.usage_error("--count is for folded alone");
  if (nanoseconds && format != "strace") return opts.usage_error("--ns is for strace alone");

  auto out = DataOutput::open(output);
  if (!out) return fail(kExitToolFailed, "export", out.error());
  const Output write = [&](std::string_view text) { return out->write(text); };
  const Result<TraceInfo> info =
      format == "strace"
          ? export_strace(file, write, nanoseconds ? StraceTimes::kNanoseconds : StraceTimes::kMicroseconds)
      : format == "perfetto" ? export_perfetto(file, write)
      : format == "ndjson"   ? export_ndjson(file, write)
                             : export_folded(file, count ? FoldedWeight::kCount : FoldedWeight::kTime, write);
  return finish("export", info, *out, "all before it was written");
}

}  // namespace sysvm
