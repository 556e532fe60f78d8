// SPDX-License-Identifier: MIT
// sysvm dump: a trace as text that readers of strace know, with strace's options, or as one JSON object for
// each event. In order of entry; memory does not grow with the trace. Tested by tests/cli/dump_test.py.
#include <fmt/format.h>

#include <ctime>
#include <set>

#include "cli/base/options.h"
#include "cli/base/terminal.h"
#include "cli/base/values.h"
#include "cli/call_summary.h"
#include "cli/data_output.h"
#include "cli/event_filter.h"
#include "cli/traces_argument.h"
#include "traces/descriptors.h"
#include "traces/export.h"
#include "traces/in_order.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

enum class Clock { kSinceStart, kSinceLast, kTimeOfDay, kEpoch };

struct Style {
  Clock clock = Clock::kSinceStart;
  bool durations = true, color = false;
};

std::string time_text(const Style& style, const TraceHeader& h, uint64_t ts, uint64_t start, uint64_t last) {
  auto seconds = [](uint64_t ns) { return static_cast<double>(static_cast<int64_t>(ns)) / 1e9; };
  if (style.clock == Clock::kSinceStart) return fmt::format("{:>12.6f}", seconds(ts - start));
  if (style.clock == Clock::kSinceLast) return fmt::format("{:>12.6f}", seconds(ts - last));
  const uint64_t at = h.realtime_ns ? ts + h.realtime_ns - h.boottime_ns : ts;
  if (style.clock == Clock::kEpoch)
    return fmt::format("{}.{:06}", at / 1'000'000'000, at % 1'000'000'000 / 1000);
  const time_t whole = static_cast<time_t>(at / 1'000'000'000);
  tm local;
  localtime_r(&whole, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:06}", local.tm_hour, local.tm_min, local.tm_sec,
                     at % 1'000'000'000 / 1000);
}

std::string line_text(const Style& style, const TraceInfo& info, const Event& e, const std::string& time,
                      const Descriptors* fds) {
  std::string call = fds ? format_call(info, e, *fds) : format_call(info, e);
  if (style.color && !e.has(kSignal)) {
    const size_t open = call.find('(');
    call = "\033[1m" + call.substr(0, open) + "\033[0m" + call.substr(open);
  }
  std::string out = fmt::format("{:<7} {} {}", e.tid, time, call);
  if (e.has(kSignal)) return style.color ? "\033[33m" + out + "\033[0m\n" : out + "\n";
  const std::string result = format_result(info, e);
  out += " = " + (style.color && e.failed() ? "\033[31m" + result + "\033[0m" : result);
  if (style.durations && !(e.flags & (kNoExit | kNoEnter | kForkChild)))
    out += fmt::format(" <{:.6f}>", static_cast<double>(e.dur_ns) / 1e9);
  if (e.has(kForkChild)) out += " (in the child)";
  if (e.has(kNoEnter)) out += " (entry not seen)";
  return out + "\n";
}

}  // namespace

int cmd_dump(const Words& words) {
  std::string file, pids, color = "auto", clock;
  bool as_json = false, summary = false, relative = false, time_of_day = false, epoch = false,
       no_durations = false, only_failed = false, decode_fds = false;
  std::vector<std::string> expressions;
  Options opts("dump", "usage: sysvm dump [options] TRACE",
               "Print a trace: one call on a line, as strace does.\n\n"
               "  sysvm dump sysvm.trace | less\n  sysvm dump -e openat,newfstatat -Z sysvm.trace\n"
               "  sysvm dump -c sysvm.trace\n");
  opts.flag("--json", as_json, "one JSON object on a line; the first has the schema");
  opts.flag("-c,--summary", summary, "a table of calls, errors and times instead");
  opts.list("-e,--trace SET", expressions, "only these calls: openat,read  %file  /^sched_  !close; signal");
  opts.flag("-y,--decode-fds", decode_fds, "with each descriptor, what it was opened as");
  opts.text("-f,--pid IDS", pids, "only these processes or threads: 123,124");
  opts.flag("-r,--relative", relative, "time since the line before");
  opts.flag("-t,--time", time_of_day, "time of day");
  opts.flag("--ttt", epoch, "seconds since 1970");
  opts.flag("-T,--no-durations", no_durations, "without the time spent in each call");
  opts.flag("-Z,--failed", only_failed, "only calls that failed");
  opts.choice("--color", color, {"auto", "always", "never"}, "[auto]");
  opts.argument("TRACE", file, "file of 'sysvm record' or 'sysvm import'");
  // strace's own spelling.
  Words spelled = words;
  for (std::string& word : spelled)
    if (word == "-ttt")
      word = "--ttt";
    else if (word == "-tt")
      word = "-t";
  if (auto code = opts.parse(spelled)) return *code;
  if (relative + time_of_day + epoch > 1) return opts.usage_error("-r, -t and -ttt exclude each other");
  if (as_json && summary)
    return opts.usage_error("--json and -c exclude each other; 'sysvm info --json' has counts");

  const auto filter = EventFilter::make(expressions);
  if (!filter) return opts.usage_error(filter.message());
  std::set<int32_t> ids;
  if (!pids.empty())
    for (const std::string& id : split_at_commas(pids)) {
      const auto number = parse_size(id);
      if (!number) return opts.usage_error("-f " + pids + ": expected process ids with commas between them");
      ids.insert(static_cast<int32_t>(*number));
    }
  auto wanted = [&](const Event& e, const TraceInfo& info) {
    if (!ids.empty() && !ids.count(e.pid) && !ids.count(e.tid)) return false;
    if (only_failed && !e.failed()) return false;
    return filter->has(info, e);
  };

  auto opened = DataOutput::open("");
  DataOutput& out = *opened;
  Style style;
  style.color = use_color(color);
  style.durations = !no_durations;
  style.clock = relative      ? Clock::kSinceLast
                : time_of_day ? Clock::kTimeOfDay
                : epoch       ? Clock::kEpoch
                              : Clock::kSinceStart;
  CallSummary counts;
  Descriptors fds;
  bool first = true;
  uint64_t start_ns = 0, last_ns = 0;
  auto info = for_each_in_order(
      file, [](const TraceInfo&) {},
      [&](const Event& e, const TraceInfo& so_far) {
        if (std::exchange(first, false)) {
          start_ns = last_ns = e.ts_ns;
          if (as_json && !out.write(ndjson_header(so_far, start_ns) + "\n")) return false;
        }
        // Descriptors are known from all events, those that are not shown too; shown as they were before
        // each.
        struct After {
          Descriptors* fds;
          const TraceInfo& info;
          const Event& event;
          ~After() {
            if (fds) fds->add(info, event);
          }
        } after{decode_fds ? &fds : nullptr, so_far, e};
        if (!wanted(e, so_far)) return true;
        if (summary) {
          counts.add(e);
          return true;
        }
        if (as_json) return out.write(ndjson_event(so_far, e) + "\n");
        const std::string time = time_text(style, so_far.header, e.ts_ns, start_ns, last_ns);
        last_ns = e.ts_ns;
        return out.write(line_text(style, so_far, e, time, decode_fds ? &fds : nullptr));
      });
  if (info && first && as_json) out.write(ndjson_header(*info, 0) + "\n");
  if (info && summary) out.write(counts.text(*info));
  return finish("dump", info, out, "all before it was printed");
}

}  // namespace sysvm
