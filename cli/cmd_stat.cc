// SPDX-License-Identifier: MIT
// sysvm stat: how often a command enters the kernel, by call: errors, latencies, and the sequences that
// repeat. Counted in the kernel; no file, nothing shipped. The table goes to standard error, for standard
// output is the command's; --output names a file for it. Tested by tests/tracer/cli_test.py.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/base/terminal.h"
#include "cli/event_filter.h"
#include "cli/traced_command.h"
#include "common/foreground.h"
#include "common/numbers.h"
#include "common/printable.h"
#include "tracer/counter.h"

namespace sysvm {

namespace {

constexpr size_t kSequences = 10;  // shown; --json has all
constexpr size_t kPrograms = 20;

std::string microseconds(double ns) {
  return ns < 10e3 ? fmt::format("{:.2f}", ns / 1e3) : fmt::format("{:.0f}", ns / 1e3);
}

// One character for each power of two, from 2^7 ns to 2^30: how the times are spread.
std::string sparkline(const CallCount& c) {
  static const char* const kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const uint64_t highest = *std::max_element(c.slots.begin(), c.slots.end());
  std::string out;
  for (size_t i = 7; i < 31; ++i) out += kBars[highest ? (c.slots[i] * 8 + highest - 1) / highest : 0];
  return out.substr(0, out.find_last_not_of(' ') + 1);
}

// What several processes made, by the program that they ran.
struct Program {
  std::string path;
  uint64_t processes = 0, entries = 0, errors = 0, ns = 0;
};

std::vector<Program> programs_of(const EntryCounts& c) {
  std::map<std::string, Program> by_path;
  for (const ImageCount& image : c.images) {
    Program& p = by_path[image.path];
    p.path = image.path;
    ++p.processes;
    p.entries += image.entries;
    p.errors += image.errors;
    p.ns += image.ns;
  }
  std::vector<Program> out;
  for (auto& [path, p] : by_path) out.push_back(std::move(p));
  std::stable_sort(out.begin(), out.end(),
                   [](const Program& a, const Program& b) { return a.entries > b.entries; });
  return out;
}

// Entries of processes that have not ended, or of which there were too many to tell them apart.
uint64_t of_no_image(const EntryCounts& c) {
  uint64_t known = 0;
  for (const ImageCount& image : c.images) known += image.entries;
  return c.entries - std::min(c.entries, known);
}

std::string program_table(const EntryCounts& c) {
  if (c.images.size() < 2) return "";
  const auto line = [&](uint64_t entries, const std::string& errors, const std::string& ms,
                        const std::string& processes, const std::string& name) {
    return fmt::format("{:>12} {:>6.2f} {:>9} {:>10} {:>9}  {}\n", entries, percent(entries, c.entries),
                       errors, ms, processes, name);
  };
  std::string out = fmt::format("\n{:>12} {:>6} {:>9} {:>10} {:>9}  program\n", "entries", "%", "errors",
                                "total ms", "processes");
  const std::vector<Program> all = programs_of(c);
  uint64_t entries = 0, errors = 0, ns = 0, processes = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const Program& p = all[i];
    if (i < kPrograms)
      out += line(p.entries, std::to_string(p.errors), fmt::format("{:.2f}", static_cast<double>(p.ns) / 1e6),
                  std::to_string(p.processes), p.path.empty() ? "?" : without_controls(p.path));
    if (i < kPrograms) continue;
    entries += p.entries, errors += p.errors, ns += p.ns, processes += p.processes;
  }
  if (all.size() > kPrograms)
    out += line(entries, std::to_string(errors), fmt::format("{:.2f}", static_cast<double>(ns) / 1e6),
                std::to_string(processes), fmt::format("{} others", all.size() - kPrograms));
  if (const uint64_t rest = of_no_image(c))
    out += line(rest, "", "", "", "that had not ended, or were too many");
  return out + line(c.entries, "", "", std::to_string(c.images.size()), "all");
}

std::string table(const EntryCounts& c, bool by_program) {
  std::string out =
      fmt::format("{:>12} {:>6} {:>9} {:>9} {:>9} {:>10}  {:<20} {}\n", "entries", "%", "errors", "p50 us",
                  "p99 us", "total ms", "call", "128 ns ... 1 s, by powers of 2");
  for (const CallCount& call : c.calls)
    out += fmt::format("{:>12} {:>6.2f} {:>9} {:>9} {:>9} {:>10.2f}  {:<20} {}\n", call.entries,
                       percent(call.entries, c.entries), call.errors, microseconds(call.quantile_ns(0.5)),
                       microseconds(call.quantile_ns(0.99)), static_cast<double>(call.ns) / 1e6, call.name,
                       sparkline(call));
  out += fmt::format("{:>12} {:>6} in {} thread{}, {:.3f} s ({})\n", c.entries, "", c.tasks,
                     c.tasks == 1 ? "" : "s", static_cast<double>(c.wall_ns) / 1e9, c.backend);
  if (by_program) out += program_table(c);
  if (c.sequences.empty()) return out;
  out += fmt::format("\n{:>12} {:>6}  {} calls in a row (overlapping)\n", "times", "%", TRACE_GRAM);
  for (size_t i = 0; i < c.sequences.size() && i < kSequences; ++i) {
    const SequenceCount& s = c.sequences[i];
    out +=
        fmt::format("{:>12} {:>6.2f}  {}\n", s.count, percent(s.count, c.entries), fmt::join(s.names, " "));
  }
  if (c.sequences_lost)
    out += fmt::format("{:>12} calls followed sequences for which there was no room\n", c.sequences_lost);
  return out;
}

std::string json(const EntryCounts& c, const Words& command, bool by_program) {
  nlohmann::ordered_json j;
  j["schema"] = 1;
  j["command"] = command;
  j["backend"] = c.backend;
  j["entries"] = c.entries;
  j["threads"] = c.tasks;
  j["left_running"] = c.left_running;
  j["lost"] = c.lost;
  j["wall_ns"] = c.wall_ns;
  j["wait_status"] = c.wait_status;
  j["calls"] = nlohmann::ordered_json::array();
  for (const CallCount& call : c.calls)
    j["calls"].push_back({{"name", call.name},
                          {"entries", call.entries},
                          {"errors", call.errors},
                          {"returned", call.returned()},
                          {"total_ns", call.ns},
                          {"p50_ns", call.quantile_ns(0.5)},
                          {"p99_ns", call.quantile_ns(0.99)},
                          {"log2_ns", call.slots}});
  if (by_program) {
    j["programs"] = nlohmann::ordered_json::array();
    for (const Program& p : programs_of(c))
      j["programs"].push_back({{"path", p.path},
                               {"processes", p.processes},
                               {"entries", p.entries},
                               {"errors", p.errors},
                               {"total_ns", p.ns}});
    j["processes"] = nlohmann::ordered_json::array();
    for (const ImageCount& image : c.images)
      j["processes"].push_back({{"pid", image.pid},
                                {"path", image.path},
                                {"entries", image.entries},
                                {"errors", image.errors},
                                {"total_ns", image.ns}});
    j["entries_of_no_process"] = of_no_image(c);
  }
  j["sequences"] = nlohmann::ordered_json::array();
  for (const SequenceCount& s : c.sequences)
    j["sequences"].push_back({{"calls", s.names}, {"count", s.count}});
  j["sequences_lost"] = c.sequences_lost;
  return json_line(j);
}

void show_counts(const EntryCounts& c) {
  std::string line = fmt::format("{:.0f} s: {} calls", static_cast<double>(c.wall_ns) / 1e9, c.entries);
  for (size_t i = 0; i < c.calls.size() && line.size() < 60; ++i)
    line += fmt::format(", {} {:.0f} %", c.calls[i].name, percent(c.calls[i].entries, c.entries));
  show_progress(line);
}

// Leaves the calls of -e, and the sequences of nothing else.
void keep(const EventFilter& filter, EntryCounts& c) {
  if (filter.all()) return;
  std::erase_if(c.calls, [&](const CallCount& call) { return !filter.has(call.name); });
  std::erase_if(c.sequences, [&](const SequenceCount& s) {
    return !std::all_of(s.names.begin(), s.names.end(), [&](const auto& name) { return filter.has(name); });
  });
  c.entries = 0;
  for (const CallCount& call : c.calls) c.entries += call.entries;
}

}  // namespace

int cmd_stat(const Words& words) {
  CountOptions options;
  TracedCommand run;
  Words filters;
  std::string output;
  bool as_json = false, quiet = false;
  Options opts(
      "stat", "usage: sysvm stat [options] [--] CMD...",
      "Count how often a command enters the kernel, by system call and by program: errors, latencies, and "
      "the sequences that repeat. Nothing is recorded.\n\n"
      "  sysvm stat -- du -s /usr/share\n  sysvm stat -e %file -- make\n");
  opts.command(options.command.argv);
  opts.flag("--json", as_json, "one JSON object instead of a table");
  opts.text("-o,--output FILE", output, "write there instead of to standard error");
  opts.list("-e,--expr SET", filters, "show only these calls: openat,read  %file  /^sched_  !close");
  opts.flag("-q,--quiet", quiet, "no line on the terminal while CMD runs");
  run.add_to(opts);
  if (auto code = opts.parse(words)) return *code;
  const auto usage = [&](const auto& wrong) { return opts.usage_error(wrong.message()); };
  if (options.command.argv.empty()) return opts.usage_error("expected a command");
  const auto filter = EventFilter::make(filters);
  if (!filter) return usage(filter);
  const auto backend = run.backend();
  if (!backend) return usage(backend);
  const auto identity = run.identity();
  if (!identity) return usage(identity);
  options.backend = *backend;
  options.btf = run.btf;
  options.times = true;
  options.command.user = *identity;
  FILE* out = output.empty() ? stderr : fopen(output.c_str(), "we");
  if (!out) return fail(kExitToolFailed, "stat", error("{}: {}", output, strerror(errno)));
  if (!quiet && shows_progress()) options.progress = show_counts;
  int exit_code = kExitToolFailed;
  auto counts = count_entries(options, exit_code);
  if (options.progress) show_progress("");
  if (!counts) return fail(exit_code, "stat", counts.error());
  if (!counts->note.empty())
    log_warning("stat: the ptrace backend was used, which is slow. {}", counts->note);
  if (counts->lost)
    log_warning("stat: {} threads could not be followed; the counts are too low", counts->lost);
  keep(*filter, *counts);
  fmt::print(out, "{}",
             as_json ? json(*counts, options.command.argv, filter->all()) : table(*counts, filter->all()));
  if (out != stderr && fclose(out) != 0)
    return fail(kExitToolFailed, "stat", error("{}: {}", output, strerror(errno)));
  return end_like(counts->wait_status);
}

}  // namespace sysvm
