// SPDX-License-Identifier: MIT
// sysvm export: a trace in the formats of other tools, to standard output or a file.
// Tested by tests/cli/export_test.py.
#include <map>

#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/data_output.h"
#include "cli/traces_argument.h"
#include "common/did_you_mean.h"
#include "common/read_file.h"
#include "optimizer/prove/replay.h"
#include "procedures/svp.h"
#include "traces/export.h"
#include "traces/packed.h"

namespace sysvm {
namespace {

// What the procedures would have taken together in the recording, by the shim's own code.
Result<std::vector<ProcedureRun>> procedure_runs(const std::string& file, const std::string& procedures) {
  const std::vector<uint8_t> svp = TRY(read_whole_file(procedures, SVP_FILE_MAX));
  const PackedTrace trace = TRY(read_packed(file));
  std::vector<CallFate> fates;
  ReplayOptions how;
  how.unseen = unseen_objects();
  how.fates = &fates;
  if (const Result<Replay> replayed = replay(svp, {&trace}, how); !replayed)
    return error("{}: {}", procedures, replayed.message());
  std::vector<ProcedureRun> out;
  std::map<int32_t, size_t> last;  // run of each thread that goes on
  auto fate = fates.begin();
  for (const PackedEvent& e : trace.events) {
    const CallFate now = *fate++;
    if (now == CallFate::kPlain) {
      last.erase(e.tid());
      continue;
    }
    const auto at = last.find(e.tid());
    const uint64_t to_ns = e.ts_ns() + e.dur_ns();
    if (now == CallFate::kRuns || at == last.end()) {
      last[e.tid()] = out.size();
      out.push_back(
          {e.pid(), e.tid(), e.ts_ns(), to_ns, now == CallFate::kAnswered, call_label(trace, e.event())});
    } else {
      out[at->second].to_ns = to_ns;
      ++out[at->second].answered;
    }
  }
  return out;
}

}  // namespace

int cmd_export(const Words& words) {
  std::string format, file, output;
  std::string procedures;
  bool count = false, nanoseconds = false, paths = false, no_frames = false;
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
  opts.flag("-y,--decode-fds", paths, "strace: what descriptors were opened as: read(3</etc/passwd>, ...)");
  opts.text("-P,--procedures FILE.svp", procedures,
            "perfetto: runs of these procedures, of 'sysvm compile', as tracks");
  opts.flag("--no-frames", no_frames, "folded: without callers and call sites");
  opts.flag("-c,--count", count, "folded: weigh calls by number and not by time");
  if (auto code = opts.parse(words)) return *code;
  if (format != "strace" && format != "perfetto" && format != "ndjson" && format != "folded")
    return opts.usage_error(
        "format '" + format + "': expected strace, perfetto, ndjson or folded" +
        did_you_mean(format, std::vector<std::string>{"strace", "perfetto", "ndjson", "folded"}));
  if (count && format != "folded") return opts.usage_error("--count is for folded alone");
  if (no_frames && format != "folded") return opts.usage_error("--no-frames is for folded alone");
  if (nanoseconds && format != "strace") return opts.usage_error("--ns is for strace alone");
  if (paths && format != "strace") return opts.usage_error("-y is for strace alone");
  if (!procedures.empty() && format != "perfetto") return opts.usage_error("-P is for perfetto alone");
  std::vector<ProcedureRun> runs;
  if (!procedures.empty()) {
    auto found = procedure_runs(file, procedures);
    if (!found) return fail(kExitUsage, "export", found.error());
    runs = std::move(*found);
  }

  auto out = DataOutput::open(output);
  if (!out) return fail(kExitToolFailed, "export", out.error());
  const Output write = [&](std::string_view text) { return out->write(text); };
  const Result<TraceInfo> info =
      format == "strace"
          ? export_strace(file, write, nanoseconds ? StraceTimes::kNanoseconds : StraceTimes::kMicroseconds,
                          paths)
      : format == "perfetto" ? export_perfetto(file, write, runs)
      : format == "ndjson"
          ? export_ndjson(file, write)
          : export_folded(file, count ? FoldedWeight::kCount : FoldedWeight::kTime, write, !no_frames);
  return finish("export", info, *out, "all before it was written");
}

}  // namespace sysvm
