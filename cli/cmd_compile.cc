// SPDX-License-Identifier: MIT
// sysvm compile FILE... -o app.svp: recordings -> procedures. Prints what it made and what it left out, and
// why.
#include <fmt/format.h>

#include <optional>
#include <set>

#include "cli/base/glossary.h"
#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/ticker.h"
#include "cli/traces_argument.h"
#include "common/numbers.h"
#include "optimizer/base/names.h"
#include "optimizer/explain/lists_text.h"
#include "optimizer/explain/promise.h"
#include "optimizer/explain/verdict.h"
#include "optimizer/lists/cold.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"
#include "procedures/reader.h"

namespace sysvm {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EmittedInfo, name, mode, exe, seen, hits, misses, undone, saved_ns,
                                   saved_low_ns, saved_high_ns, break_even_ns, stop)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DroppedInfo, trigger, exe, seen, reason)

namespace {

constexpr size_t kLine = 1000;  // names come from the recorded run, which may have been anybody's

nlohmann::json to_json(const Compiled& c, const Replay& r, const CostModel& cost, const Verdict& verdict,
                       const ColdOutlook& cold, const std::string& output) {
  return {{"schema", 1},
          {"output", output},
          {"bytes", c.svp.size()},
          {"calls", r.calls},
          {"predicted_entries", r.entries},
          {"saved_ns", saved_ns(cost, r)},
          {"spread_ns", c.spread_ns},
          {"wall_ns", verdict.wall_ns},
          {"verdict", to_json(verdict, r, cost)},
          {"costs", cost.source},
          {"ahead", r.ahead},
          {"used", r.used},
          {"procedures", c.emitted},
          {"dropped", c.dropped},
          {"lists", lists_json(c.file.lists)},
          {"cold", {{"waited_ns", cold.waited_ns}, {"calls", cold.calls}, {"gain", cold.gain()}}}};
}

void print(const Compiled& c, const Replay& r, const CostModel& cost, const Verdict& verdict,
           const ColdOutlook& cold, const BuildNames& names, const std::string& output) {
  std::set<std::string> programs;
  for (const EmittedInfo& e : c.emitted) programs.insert(e.exe);
  for (const DroppedInfo& d : c.dropped) programs.insert(d.exe);
  // Only where there are several: "grep: ".
  const auto of = [&](const std::string& exe) {
    return programs.size() > 1 ? printable(names.of(exe)) + ": " : std::string();
  };
  fmt::print("{}\n{}: {} procedures, {} bytes\n", verdict_block(verdict, r, cost), output, c.emitted.size(),
             c.svp.size());
  if (!c.emitted.empty())
    fmt::print("{:>8} {:>8} {:>8} {:>8} {:>9} {:>10}  {:<10} {}\n", "SEEN", "HITS", "MISSES", "UNDONE",
               "SAVES", "BREAK-EVEN", "MODE", "PROCEDURE");
  for (const EmittedInfo& e : c.emitted)
    fmt::print("{:>8} {:>8} {:>8} {:>8} {:>9} {:>7.0f} ns  {:<10} {}\n", e.seen, e.hits, e.misses, e.undone,
               time_text(e.saved_ns), e.break_even_ns, e.mode, of(e.exe) + printable(e.name, kLine));
  fmt::print("{}", lists_lines(c.file.lists));
  if (!c.dropped.empty()) fmt::print("\nleft out:\n");
  for (const DroppedInfo& d : c.dropped)
    fmt::print("{:>8}  {}{}: {}\n", d.seen, of(d.exe), printable(d.trigger, kLine),
               printable(d.reason, kLine));
  fmt::print(
      "\n{} calls recorded; replayed with these procedures: {} entries; {:.1f} % of {} calls made ahead not "
      "used\n",
      r.calls, r.entries, 100 * r.unused_share(), r.ahead);
  fmt::print("{}", cold_text(cold));
}

}  // namespace

int cmd_compile(const Words& words) {
  Options opts("compile", "usage: sysvm compile [options] -o FILE TRACE...",
               "Compile the call sequences that repeat in recordings into stored procedures.\n\n"
               "  sysvm record -- du -s /usr/share; sysvm compile sysvm.trace -o du.svp\n"
               "  sysvm run -P du.svp -- du -s /usr/share\n",
               kGlossary);
  std::vector<std::string> files;
  std::string output;
  CompileOptions options;
  CostOptions costs;
  std::string profile;
  bool json = false, no_examples = false;
  opts.arguments("TRACE...", files, "files of 'sysvm record'");
  opts.text("-o,--output FILE", output, "procedure file to write; - is standard output");
  opts.require("--output");
  opts.number("--min-count N", options.min_count, 0, 1e9, "leave out what was seen less often");
  costs.add_to(opts);
  opts.text("--profile FILE", profile,
            "counters of 'sysvm run --stats': what misses is narrowed or left out");
  opts.flag("--strict", options.strict, "no late close");
  opts.flag("--empty", options.empty, "no procedures: what the shim costs by itself");
  opts.flag("--no-examples", no_examples,
            "keep no calls of the recording in the notes, and no lists for the prefetcher: no path names");
  opts.flag("--json", json, "one JSON object, schema 1");
  if (const auto code = opts.parse(words)) return *code;

  if (const Result<> free = may_become(output); !free) return fail(kExitToolFailed, free.error());
  std::optional<Ticker> ticker("compile: reading");
  const Result<TraceFiles> traces = TraceFiles::read(files);
  if (!traces) return fail(kExitUsage, traces.error());
  const Result<CostModel> cost = costs.get();
  if (!cost) return fail(kExitUsage, cost.error());
  options.cost = *cost;
  options.examples = !no_examples;
  if (!profile.empty()) {
    Result<std::vector<ProfiledProcedure>> ran = read_profile(profile);
    if (!ran) return fail(kExitUsage, ran.error());
    options.profile = std::move(*ran);
  }
  ticker->stage(fmt::format("compile: {} calls", thousands(traces->calls())));
  options.progress = &ticker->progress;
  Result<Compiled> compiled = compile(traces->pointers(), options);
  if (!compiled) return fail(kExitToolFailed, compiled.error());
  ticker->stage(fmt::format("compile: replaying {} calls", thousands(traces->calls())));
  ReplayOptions how;
  how.strict = options.strict;
  how.unseen = unseen_objects();
  how.progress = &ticker->progress;
  const Result<Replay> replayed = replay(compiled->svp, traces->pointers(), how);
  if (!replayed) return fail(kExitToolFailed, replayed.error());
  const Promise promise{*replayed, compiled->spread_ns, wall_ns(traces->pointers())};
  Result<std::vector<uint8_t>> noted = note_promise(compiled->file, promise);
  if (!noted) return fail(kExitToolFailed, noted.error());
  compiled->svp = std::move(*noted);
  if (const Result<> written = write_whole_file(output, compiled->svp); !written)
    return fail(kExitToolFailed, written.error());
  if (output == "-") return 0;
  const Verdict verdict = judge(*replayed, *cost, promise.spread_ns, promise.wall_ns);
  const ColdOutlook cold = cold_outlook(traces->pointers());
  ticker.reset();
  if (json)
    fmt::print("{}", json_text(to_json(*compiled, *replayed, *cost, verdict, cold, output)));
  else
    print(*compiled, *replayed, *cost, verdict, cold, BuildNames(traces->pointers()), output);
  return 0;
}

}  // namespace sysvm
