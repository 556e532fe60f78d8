// SPDX-License-Identifier: MIT
// sysvm dump: a trace as text that readers of strace know, or as one JSON object for each event.
//
// Reads chunk by chunk, so a trace larger than memory is no problem; within a chunk events are in order of
// entry. JSON: the first line has schema and kind; numbers past 2^53 are strings. Tested by
// tests/tracer/cli_test.py.
#include <spdlog/spdlog.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

nlohmann::ordered_json number(uint64_t n) {
  if (n > (1ull << 53)) return std::to_string(n);
  return n;
}

std::string json_line(const TraceInfo& info, const Event& e) {
  nlohmann::ordered_json j;
  j["ts_ns"] = number(e.ts_ns);
  j["dur_ns"] = number(e.dur_ns);
  j["pid"] = e.pid;
  j["tid"] = e.tid;
  j["seq"] = e.seq;
  if (e.has(kSignal)) {
    j["signal"] = signal_name(static_cast<int>(e.args[0]));
    return j.dump();
  }
  j["call"] = e.has(kCompat) ? fmt::format("i386_{}", e.nr) : info.call_name(e.nr);
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  j["args"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < (call ? call->args.size() : 6); ++i) j["args"].push_back(number(e.args[i]));
  j["ret"] = e.ret;
  if (e.ret < 0 && e.ret >= -4095 && !e.has(kRestarted)) j["error"] = errno_name(static_cast<int>(-e.ret));
  if (e.path[0]) j["path"] = info.strings[e.path[0]];
  if (e.path[1]) j["path2"] = info.strings[e.path[1]];
  if (e.has(kHasStat))
    j["stat"] = {{"mode", e.st_mode}, {"size", number(e.st_size)}, {"dev", number(e.st_dev)}};
  if (e.flags) j["flags"] = e.flags;
  j["ip"] = number(e.ip);
  j["caller"] = number(e.caller);
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int cmd_dump(const Words& words) {
  std::string file;
  bool as_json = false;
  Options opts("dump", "usage: sysvm dump [--json] FILE",
               "Print a trace: one call on a line, as strace does.\n\n  sysvm dump sysvm.trace | less\n");
  opts.flag("--json", as_json, "one JSON object on a line; the first has the schema");
  opts.argument("FILE", file, "the trace");
  if (auto code = opts.parse(words)) return *code;

  signal(SIGPIPE, SIG_DFL);  // `sysvm dump x | head` ends without a word.
  uint64_t start_ns = 0;
  bool failed = false, first = true;
  auto info = for_each_chunk(file, [&](Columns& columns, const TraceInfo& so_far) {
    if (first) {
      start_ns = columns.ts_ns[0];
      if (as_json) fmt::print("{{\"schema\":1,\"kind\":\"sysvm.dump\",\"first_ns\":{}}}\n", start_ns);
    }
    first = false;
    for (size_t i = 0; i < columns.size() && !failed; ++i) {
      const Event e = columns.event(i);
      std::string line;
      if (as_json) {
        line = json_line(so_far, e);
      } else {
        line = fmt::format("{:<7} {:>12.6f} {}", e.tid,
                           static_cast<double>(static_cast<int64_t>(e.ts_ns - start_ns)) / 1e9,
                           format_call(so_far, e));
        if (!e.has(kSignal)) line += " = " + format_result(so_far, e);
        if (!(e.flags & (kSignal | kNoExit | kNoEnter | kForkChild)))
          line += fmt::format(" <{:.6f}>", static_cast<double>(e.dur_ns) / 1e9);
        if (e.has(kForkChild)) line += " (in the child)";
        if (e.has(kNoEnter)) line += " (entry not seen)";
      }
      line += '\n';
      failed = fwrite(line.data(), 1, line.size(), stdout) != line.size();
    }
    return !failed;
  });
  if (!info) {
    spdlog::error("dump: {}", info.message());
    return kExitUsage;
  }
  if (first && as_json) fmt::print("{{\"schema\":1,\"kind\":\"sysvm.dump\",\"first_ns\":0}}\n");
  if (failed || fflush(stdout) != 0) {
    spdlog::error("dump: standard output: {}", strerror(errno));
    return kExitToolFailed;
  }
  if (!info->damage.empty()) {
    spdlog::error("dump: {}; all before it was printed", info->damage);
    return kExitUsage;
  }
  return 0;
}

}  // namespace sysvm
