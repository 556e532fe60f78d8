// SPDX-License-Identifier: MIT
// sysvm report: a trace as one HTML page that needs nothing else: no script, no network. Everything that came
// from the traced program is escaped. Tested by tests/cli/report_test.py.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/base/fail.h"
#include "cli/base/options.h"
#include "cli/call_summary.h"
#include "cli/data_output.h"
#include "cli/traces_argument.h"
#include "common/numbers.h"
#include "optimizer/mine/mine.h"
#include "traces/completeness.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

constexpr size_t kMostThreads = 200, kMostProcesses = 200, kSequences = 10;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) >= 127)
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  return out;
}

std::string duration(uint64_t ns) { return time_text(static_cast<double>(ns)); }

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sysvm report</title>
<style>
body{font:14px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
body{color:#1a1a1a;background:#fff}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}
td,th{padding:.15rem .8rem .15rem 0;text-align:right;border-bottom:1px solid #8884}
td:first-child,th:first-child,.l{text-align:left;overflow-wrap:anywhere}
code,pre{font:13px ui-monospace,monospace}.bad{color:#b00020;font-weight:bold}.good{color:#0a6b2d}
.bar{display:inline-block;height:.7em;background:#4477aa}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}.bad{color:#ff8a80}.good{color:#7bd88f}}
</style></head><body>
)";

struct Threads {
  struct One {
    int32_t pid = 0;
    uint64_t events = 0, missing = 0, in_calls_ns = 0, first_ns = ~0ull, last_ns = 0;
  };
  std::map<int32_t, One> all;
  uint64_t missing = 0, calls = 0, signals = 0;

  void add(const Event& e) {
    One& t = all[e.tid];
    t.pid = e.pid;
    ++t.events;
    if (e.has(kSignal))
      ++signals;
    else if (!e.has(kForkChild))  // a fork returns twice, but is one call
      ++calls;
    t.in_calls_ns += e.dur_ns;
    t.first_ns = std::min(t.first_ns, e.ts_ns);
    t.last_ns = std::max(t.last_ns, e.ts_ns + e.dur_ns);
  }
  void add(const Completeness& found) {
    missing = found.missing();
    for (const Gap& g : found.gaps()) {
      all[g.tid].pid = g.pid;
      all[g.tid].missing += g.count;
    }
  }
};

void write_summary(DataOutput& out, const TraceInfo& info, const Threads& threads, uint64_t wall_ns) {
  const TraceHeader& h = info.header;
  const std::string command = fmt::format("{}", fmt::join(h.command, " "));
  const uint64_t lost = info.lost();
  out.write(fmt::format("<h1>System calls of <code>{}</code></h1>\n<table>\n",
                        escaped(command.empty() ? "a process" : command)));
  auto row = [&](std::string_view name, const std::string& html) {
    out.write(fmt::format("<tr><td>{}</td><td class=l>{}</td></tr>\n", name, html));
  };
  row("recorded", fmt::format("by {} ({}) on {}, Linux {} {}", escaped(h.tool), escaped(h.backend),
                              escaped(h.host), escaped(h.kernel), escaped(h.arch)));
  row("events", fmt::format("{} calls, {} signals, in {} threads, {}", thousands(threads.calls),
                            thousands(threads.signals), threads.all.size(), duration(wall_ns)));
  if (!info.damage.empty()) row("damage", fmt::format("<span class=bad>{}</span>", escaped(info.damage)));
  if (lost || threads.missing || !info.stats)
    row("complete", fmt::format("<span class=bad>no: {} lost, {} missing in the threads' numbering{}</span>",
                                thousands(lost), thousands(threads.missing),
                                info.stats ? "" : "; the recording was not closed"));
  else
    row("complete", "<span class=good>yes: no loss was counted, and no thread's numbering has a hole</span>");
  if (h.call_cost_ns) row("tracing", fmt::format("added about {} ns to each call", h.call_cost_ns));
  out.write("</table>\n");
}

void write_calls(DataOutput& out, const TraceInfo& info, const CallSummary& calls) {
  out.write(
      "<h2>Calls</h2>\n"
      "<table><tr><th>call<th>calls<th>errors<th>total<th>share<th>mean<th>p50<th>p99<th>longest</tr>\n");
  const auto rows = calls.rows();
  uint64_t total = 0;
  for (const auto& [nr, row] : rows) total += row.total_ns;
  for (const auto& [nr, row] : rows) {
    const double share = total ? static_cast<double>(row.total_ns) / static_cast<double>(total) : 0;
    out.write(fmt::format(
        "<tr><td>{}<td>{}<td>{}<td>{}<td class=l><span class=bar style=\"width:{:.1f}em\"></span> {:.1f} "
        "%<td>{}<td>{}<td>{}<td>{}</tr>\n",
        escaped(summary_name(info, nr)), thousands(row.calls), row.errors ? thousands(row.errors) : "",
        duration(row.total_ns), 8 * share, 100 * share, duration(row.total_ns / row.calls),
        duration(row.quantile_ns(0.5)), duration(row.quantile_ns(0.99)), duration(row.longest_ns)));
  }
  out.write("</table>\n<p>p50 and p99 are right within 1 %.</p>\n");
}

void write_losses(DataOutput& out, const TraceInfo& info, uint64_t start_ns) {
  if (info.losses.empty()) return;
  out.write("<h2>Losses</h2>\n<table><tr><th>reason<th>events<th>from<th>to</tr>\n");
  auto since = [&](uint64_t ns) {
    return fmt::format("{:.6f} s", static_cast<double>(static_cast<int64_t>(ns - start_ns)) / 1e9);
  };
  for (const Loss& l : info.losses)
    out.write(fmt::format("<tr><td>{}<td>{}<td>{}<td>{}</tr>\n", to_string(l.reason), thousands(l.count),
                          since(l.from_ns), since(l.to_ns)));
  out.write("</table>\n");
}

void write_threads(DataOutput& out, const Threads& threads) {
  out.write(
      "<h2>Threads</h2>\n"
      "<table><tr><th>thread<th>process<th>events<th>missing<th>in calls<th>from first to last</tr>\n");
  std::vector<std::pair<int32_t, Threads::One>> rows(threads.all.begin(), threads.all.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.events > b.second.events; });
  for (size_t i = 0; i < std::min(rows.size(), kMostThreads); ++i) {
    const auto& [tid, t] = rows[i];
    out.write(fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>\n", tid, t.pid, thousands(t.events),
                          t.missing ? fmt::format("<span class=bad>{}</span>", thousands(t.missing)) : "",
                          duration(t.in_calls_ns), duration(t.events ? t.last_ns - t.first_ns : 0)));
  }
  out.write("</table>\n");
  if (rows.size() > kMostThreads) out.write(fmt::format("<p>and {} more</p>\n", rows.size() - kMostThreads));
}

void write_processes(DataOutput& out, const TraceInfo& info) {
  out.write("<h2>Processes</h2>\n<table><tr><th>image<th>process<th>parent<th>ended</tr>\n");
  for (size_t i = 0; i < std::min(info.processes.size(), kMostProcesses); ++i) {
    const Process& p = info.processes[i];
    out.write(fmt::format("<tr><td>{}{}<td>{}<td>{}<td>{}</tr>\n", p.exe.empty() ? "?" : escaped(p.exe),
                          p.execed ? "" : " (fork)", p.pid, p.parent, ended(p)));
  }
  out.write("</table>\n");
  if (info.processes.size() > kMostProcesses)
    out.write(fmt::format("<p>and {} more</p>\n", info.processes.size() - kMostProcesses));
}

void write_sequences(DataOutput& out, const MineReport& mined) {
  out.write("<h2>Sequences that repeat</h2>\n");
  if (mined.sequences.empty()) out.write("<p>None.</p>\n");
  for (const MinedSequence& s : mined.sequences) {
    out.write(fmt::format(
        "<p>{} times; {} of {} calls after the first have all inputs known when it begins</p>\n<pre>",
        thousands(s.count), s.known, s.calls.size() - 1));
    for (const MinedCall& c : s.calls) out.write(escaped(c.text()) + "\n");
    out.write("</pre>\n");
  }
}

}  // namespace

int cmd_report(const Words& words) {
  std::string file, output;
  bool no_sequences = false;
  Options opts("report", "usage: sysvm report [-o FILE] TRACE",
               "Write a trace as one self-contained HTML page: calls, errors, latencies, threads, losses, "
               "sequences.\n\n"
               "  sysvm report sysvm.trace -o sysvm.html\n");
  opts.argument("TRACE", file, "file of 'sysvm record' or 'sysvm import'");
  opts.text("-o,--output FILE", output, "the file to write [standard output]");
  opts.flag("--no-sequences", no_sequences,
            "leave out the sequences, which need some 100 bytes of memory for each event");
  if (auto code = opts.parse(words)) return *code;

  CallSummary calls;
  Threads threads;
  Completeness found;
  uint64_t first_ns = ~0ull, last_ns = 0;
  const auto info = for_each_chunk(file, [&](Columns& columns, const TraceInfo&) {
    found.add(columns);
    for (size_t i = 0; i < columns.size(); ++i) {
      const Event e = columns.event(i);
      calls.add(e);
      threads.add(e);
      first_ns = std::min(first_ns, e.ts_ns);
      last_ns = std::max(last_ns, e.ts_ns + e.dur_ns);
    }
    return true;
  });
  if (!info) return fail(kExitUsage, "report", info.error());
  found.finish(*info);
  threads.add(found);
  auto out = DataOutput::open(output);
  if (!out) return fail(kExitToolFailed, "report", out.error());
  out->write(kHead);
  write_summary(*out, *info, threads, last_ns > first_ns ? last_ns - first_ns : 0);
  write_losses(*out, *info, first_ns);
  write_calls(*out, *info, calls);
  if (!no_sequences) {
    const MineOptions options{.max_sequences = kSequences};
    if (const auto part = mine_part(file, options)) write_sequences(*out, report(*part, options));
  }
  write_threads(*out, threads);
  write_processes(*out, *info);
  out->write("</body></html>\n");
  return finish("report", info, *out, "the page has all before it");
}

}  // namespace sysvm
