// SPDX-License-Identifier: MIT
// sysvm info: what a trace holds, and what it lacks. Every thread's sequence numbers are checked, so
// "complete" is a proof and not the recorder's word. Tested by tests/tracer/cli_test.py.
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <unordered_set>

#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/base/print.h"
#include "cli/traces_argument.h"
#include "traces/completeness.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

struct Summary {
  uint64_t events = 0, calls = 0, signals = 0, bytes = 0;
  uint64_t first_ns = ~0ull, last_ns = 0;
  std::map<int32_t, uint64_t> by_call;
  Completeness found;

  void add(const Columns& c) {
    events += c.size();
    found.add(c);
    for (size_t i = 0; i < c.size(); ++i) {
      if (c.flags[i] & kSignal) {
        ++signals;
      } else if (!(c.flags[i] & kForkChild)) {  // a fork returns twice, but is one call
        ++calls;
        ++by_call[c.flags[i] & kCompat ? -2 : c.nr[i]];
      }
      first_ns = std::min(first_ns, c.ts_ns[i]);
      last_ns = std::max(last_ns, c.ts_ns[i] + c.dur_ns[i]);
    }
  }
  void close(const TraceInfo& info) {
    found.finish(info);
    if (first_ns > last_ns) first_ns = last_ns;
  }
  double per_event() const { return events ? static_cast<double>(bytes) / static_cast<double>(events) : 0; }
};

std::vector<std::pair<std::string, uint64_t>> by_count(const TraceInfo& info, const Summary& s) {
  std::vector<std::pair<std::string, uint64_t>> out;
  for (const auto& [nr, n] : s.by_call) out.emplace_back(nr == -2 ? "i386 calls" : info.call_name(nr), n);
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

void print_text(const std::string& file, const TraceInfo& info, const Summary& s) {
  const TraceHeader& h = info.header;
  print_line("file       {} ({} bytes, {:.1f} for each event)\n", file, s.bytes, s.per_event());
  print_line("command    {}\n",
             h.command.empty() ? "(attached)" : fmt::format("{}", fmt::join(h.command, " ")));
  print_line("recorded   by {} ({}) on {}, {} {}\n", h.tool, h.backend, h.host, h.kernel, h.arch);
  print_line("time       {:.3f} s from the first entry to the last return\n",
             static_cast<double>(s.last_ns - s.first_ns) / 1e9);
  std::unordered_set<int32_t> numbers;
  for (const Process& p : info.processes) numbers.insert(p.pid);
  print_line("events     {} calls, {} signals, in {} threads of {} processes\n", s.calls, s.signals,
             s.found.threads(), numbers.size());
  const uint64_t lost = info.lost();
  if (lost == 0 && s.found.missing() == 0 && info.stats && info.damage.empty()) {
    print_line("complete   yes: no loss was counted, and no thread's numbering has a hole\n");
  } else {
    print_line("complete   no: {} lost, {} missing in the threads' numbering{}\n", lost, s.found.missing(),
               info.stats ? "" : "; the recording was not closed");
    for (const Loss& l : info.losses)
      print_line("           {} x {} between {:.6f} s and {:.6f} s\n", l.count, to_string(l.reason),
                 (static_cast<double>(l.from_ns) - static_cast<double>(s.first_ns)) / 1e9,
                 (static_cast<double>(l.to_ns) - static_cast<double>(s.first_ns)) / 1e9);
  }
  if (h.call_cost_ns) print_line("tracing    added about {} ns to each call\n", h.call_cost_ns);
  print_line("\n{:>12}  call\n", "count");
  for (const auto& [name, n] : by_count(info, s)) print_line("{:>12}  {}\n", n, name);
  print_line("\n{:>9} {:>9}  {:<10} image\n", "process", "parent", "ended");
  size_t shown = 0;
  for (const Process& p : info.processes) {
    if (++shown > 40) {
      print_line("{:>9}  and {} more (--json has all)\n", "...", info.processes.size() - 40);
      break;
    }
    print_line("{:>9} {:>9}  {:<10} {}{}\n", p.pid, p.parent, ended(p), p.exe.empty() ? "?" : p.exe,
               p.execed ? "" : " (fork)");
  }
}

void print_json(const std::string& file, const TraceInfo& info, const Summary& s) {
  using nlohmann::ordered_json;
  const TraceHeader& h = info.header;
  ordered_json j;
  j["schema"] = 1;
  j["file"] = file;
  j["bytes"] = s.bytes;
  j["bytes_per_event"] = s.per_event();
  j["command"] = h.command;
  j["cwd"] = h.cwd;
  j["tool"] = h.tool;
  j["backend"] = h.backend;
  j["host"] = h.host;
  j["kernel"] = h.kernel;
  j["arch"] = h.arch;
  j["call_cost_ns"] = h.call_cost_ns;
  j["events"] = s.events;
  j["calls"] = s.calls;
  j["signals"] = s.signals;
  j["threads"] = s.found.threads();
  j["first_ns"] = std::to_string(s.first_ns);
  j["duration_ns"] = s.last_ns - s.first_ns;
  j["closed"] = info.stats.has_value();
  j["damage"] = info.damage.empty() ? ordered_json() : ordered_json(info.damage);
  j["losses"] = losses_json(info);
  j["lost"] = info.lost();
  j["missing"] = s.found.missing();
  j["complete"] = info.lost() == 0 && s.found.missing() == 0 && info.stats && info.damage.empty();
  if (info.stats) j["wall_ns"] = info.stats->wall_ns;
  j["by_call"] = ordered_json::array();
  for (const auto& [name, n] : by_count(info, s)) j["by_call"].push_back({{"name", name}, {"count", n}});
  j["processes"] = ordered_json::array();
  for (const Process& p : info.processes) {
    ordered_json one{{"pid", p.pid},       {"parent", p.parent}, {"start_ns", std::to_string(p.start_ns)},
                     {"execed", p.execed}, {"exe", p.exe},       {"build_id", p.build_id},
                     {"argv", p.argv}};
    if (p.end_ns) one["end_ns"] = std::to_string(*p.end_ns);
    if (p.exit_status) one["wait_status"] = *p.exit_status;
    j["processes"].push_back(std::move(one));
  }
  j["mappings"] = info.mappings.size();
  fmt::print("{}", json_text(j));
}

std::string seconds_text(uint64_t ns, uint64_t first_ns) {
  return ns < first_ns ? std::string("the beginning")
                       : fmt::format("{:.6f} s", static_cast<double>(ns - first_ns) / 1e9);
}

bool is_imported(const TraceInfo& info) { return info.header.backend.starts_with("import-"); }

void print_verified(const TraceInfo& info, const Completeness& found, uint64_t events, uint64_t first_ns) {
  if (!info.header.filter.empty())
    fmt::print("only the calls of -e {} were recorded; of these:\n", info.header.filter);
  if (found.proven(info)) {
    fmt::print("complete: {0} of {0} events in {1} threads, 0 gaps\n", events, found.threads());
    if (is_imported(info))
      fmt::print("(all lines of the imported text; what the text does not show cannot be known)\n");
    return;
  }
  fmt::print("not complete: {} events in {} threads, {} missing in {} gaps\n", events, found.threads(),
             found.missing(), found.gaps().size());
  for (const Gap& g : found.gaps())
    fmt::print("thread {} of process {}: {} missing between {} and {}\n", g.tid, g.pid, g.count,
               seconds_text(g.from_ns, first_ns), seconds_text(g.to_ns, first_ns));
  for (const Loss& l : info.losses)
    fmt::print("{} x {} between {} and {}\n", l.count, to_string(l.reason), seconds_text(l.from_ns, first_ns),
               seconds_text(l.to_ns, first_ns));
  if (found.open_ends()) fmt::print("{} threads whose end was not recorded\n", found.open_ends());
  if (!info.stats) fmt::print("the recording was not closed\n");
  if (!info.damage.empty()) fmt::print("damaged: {}\n", info.damage);
}

void print_verified_json(const std::string& file, const TraceInfo& info, const Completeness& found,
                         uint64_t events) {
  using nlohmann::ordered_json;
  ordered_json j;
  j["schema"] = 1;
  j["file"] = file;
  j["complete"] = found.proven(info);
  j["imported"] = is_imported(info);
  j["filter"] = info.header.filter;
  j["events"] = events;
  j["threads"] = found.threads();
  j["missing"] = found.missing();
  j["gaps"] = ordered_json::array();
  for (const Gap& g : found.gaps())
    j["gaps"].push_back({{"tid", g.tid},
                         {"pid", g.pid},
                         {"count", g.count},
                         {"from_ns", std::to_string(g.from_ns)},
                         {"to_ns", std::to_string(g.to_ns)}});
  j["losses"] = losses_json(info);
  j["open_ends"] = found.open_ends();
  j["closed"] = info.stats.has_value();
  j["damage"] = info.damage.empty() ? ordered_json() : ordered_json(info.damage);
  fmt::print("{}", json_text(j));
}

int verify_trace(const std::string& file, bool as_json) {
  Completeness found;
  uint64_t events = 0, first_ns = ~0ull;
  auto info = for_each_chunk(
      file,
      [&](Columns& columns, const TraceInfo&) {
        events += columns.size();
        for (const uint64_t ts : columns.ts_ns) first_ns = std::min(first_ns, ts);
        found.add(columns);
        return true;
      },
      0);
  if (!info) return fail(kExitUsage, "info", info.error());
  found.finish(*info);
  if (as_json)
    print_verified_json(file, *info, found, events);
  else
    print_verified(*info, found, events, first_ns);
  return found.proven(*info) ? 0 : 1;
}

}  // namespace

int cmd_info(const Words& words) {
  std::string file;
  bool as_json = false, verify = false;
  Options opts("info", "usage: sysvm info [--verify] [--json] TRACE",
               "Say what a trace holds: calls, processes, losses, damage.\n\n  sysvm info sysvm.trace\n"
               "  sysvm info --verify sysvm.trace && echo nothing is missing\n");
  opts.flag("--json", as_json, "one JSON object, schema 1");
  opts.flag("--verify", verify,
            "prove that nothing is missing, or list what is, by thread and interval; status 1");
  opts.argument("TRACE", file, "file of 'sysvm record' or 'sysvm import'");
  if (auto code = opts.parse(words)) return *code;
  signal(SIGPIPE, SIG_DFL);  // `sysvm info x | head` ends without a word
  if (verify) return verify_trace(file, as_json);

  Summary summary;
  auto info = for_each_chunk(
      file,
      [&](Columns& columns, const TraceInfo&) {
        summary.add(columns);
        return true;
      },
      0);
  if (!info) return fail(kExitUsage, "info", info.error());
  struct stat st;
  if (stat(file.c_str(), &st) == 0) summary.bytes = static_cast<uint64_t>(st.st_size);
  summary.close(*info);
  if (as_json)
    print_json(file, *info, summary);
  else
    print_text(file, *info, summary);
  return finish("info", info, "all before it was read");
}

}  // namespace sysvm
